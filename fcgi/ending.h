/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Being ended by a signal while something must not be cut: a plain CGI process
 * by its web server, a subcommand by Ctrl-C. A server looks at signals in its
 * own time and needs none of this. Any thread.
 */
#ifndef STAGEDOOR_ENDING_H
#define STAGEDOOR_ENDING_H

/* From now on SIGTERM, SIGINT, SIGHUP and SIGUSR1 end the process as they
   usually do, but not while it is held. */
void ending_catch(void);
/* Between these two; by as many as like. */
void ending_hold(void);
void ending_let(void);

#endif
