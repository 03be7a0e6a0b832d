/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON body of a request, by the contract's rules of what counts. */
#ifndef STAGEDOOR_BODY_H
#define STAGEDOOR_BODY_H

#include "response.h"

struct json_object;

/*
 * Read and parse. No body, an empty one, or one of another type than
 * application/json is an empty object. On 0 the caller owns *out and wipes
 * it (jsonx_wipe): it may hold tokens. E_GONE; else error is what to answer,
 * its strings in the request's arena.
 */
int body_json(struct request *req, struct json_object **out,
    struct api_error *error);

#endif
