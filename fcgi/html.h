/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages for people: the document around their content, its one style sheet,
 * and text made fit to stand in them. No script, no image, nothing loaded.
 */
#ifndef STAGEDOOR_HTML_H
#define STAGEDOOR_HTML_H

struct arena;
struct strbuf;

/*
 * Text of anybody's as text, or as the value of a quoted attribute: markup is
 * escaped, bad UTF-8 and control characters become U+FFFD. NULL adds nothing.
 */
void html_text(struct strbuf *sb, const char *text);
/* Bytes of the UTF-8 character at s; 0 if there is none, or an overlong one,
   a surrogate, or a control character. */
size_t html_character(const char *s);
/* printf of markup of ours; each %s is html_text's. Only %s, %zu and %%. */
void html_addf(struct strbuf *sb, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The document up to <main>'s content, with title as its <h1> too. lead: a
   line below that, or NULL. title_more: before the title in the tab, or
   NULL. */
struct html_head {
	const char *title, *title_more, *lead;
	size_t refresh;		/* seconds after which the page is loaded
				   again; 0: it is not */
};
void html_begin(struct strbuf *sb, const struct html_head *head);
void html_end(struct strbuf *sb);

/*
 * The Content-Security-Policy of such a page, in the arena. form_action: where
 * its forms may lead, redirects too (Chromium holds those to it).
 */
const char *html_policy(struct arena *arena, const char *form_action);

#endif
