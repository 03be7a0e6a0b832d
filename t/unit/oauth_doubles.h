/* SPDX-License-Identifier: Apache-2.0 */
/* Documents that the test itself has: nobody gives them back. */
#ifndef STAGEDOOR_TEST_OAUTH_DOUBLES_H
#define STAGEDOOR_TEST_OAUTH_DOUBLES_H

#include "documents.h"

/* In place of the one in documents.c, which is not linked in then. */
__attribute__((weak)) void
document_put(const struct document *doc UNUSED)
{
}

#endif
