/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few elements that we need of what STS answers. Strict: one root, tags
 * that match, no document type, no processing instruction but the first, no
 * entities but XML's own and numbers. Bounded by the length of the text and
 * by depth.
 */
#ifndef STAGEDOOR_AWS_XML_H
#define STAGEDOOR_AWS_XML_H

#include "err.h"
#include "secret.h"

struct aws_xml_want {
	const char *path;	/* "Root/Child/Leaf" */
	struct secret *out;	/* its text, blanks at the ends trimmed */
};

/*
 * Fill what is there of wants; what is not there stays as it was. 0, or
 * E_PROTOCOL: it is no such XML, or an element that is wanted is there twice.
 */
int aws_xml_read(const struct secret *text, const struct aws_xml_want *wants,
    size_t n, struct err *err);

#endif
