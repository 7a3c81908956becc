/* SPDX-License-Identifier: MIT
 * Ctrl-C. The C MEX API has no documented question "was Ctrl-C pressed?", so each host is asked in its way.
 *
 * Octave: quit.h, a public header, has the counter octave_interrupt_state: above 0 an interrupt is pending, below 0
 * somebody is handling interrupts already, and SIGINT, which Octave takes on a thread of its own, adds 1. A
 * pending one is thrown as a C++ exception from wherever Octave's code runs next, which would be a callback,
 * through our frames and the library's. So during a call the counter stands far below 0: we are handling
 * them. A thread looks at it fifty times a second and asks the library to stop.
 *
 * MATLAB: Ctrl-C is noticed while MATLAB's own code runs. So progress reports, at most ten a second, let it
 * run (drawnow) under mexCallMATLABWithTrap; an interrupted drawnow comes back as a trapped error.
 *
 * Either way the library returns MDLDM_ERROR_CANCELLED with its state whole, and mdldm:cancelled follows. */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "mdldm_mex.h"

#define HANDLING (-1000000) /* no user presses Ctrl-C as often as that */

static struct {
    int known, is_matlab;
    volatile sig_atomic_t *state; /* Octave's counter; NULL elsewhere */
    sig_atomic_t before;
    mdldm_context *ctx;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t over;
    int running, end, caught; /* end and caught: under the lock */
    struct timespec polled;
} watch = { .lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER };

/* Octave has a function OCTAVE_VERSION. */
static int host_is_matlab(void)
{
    mxArray *in[1] = { mxCreateString("OCTAVE_VERSION") }, *out[1] = { NULL };
    mxArray *error = mexCallMATLABWithTrap(1, out, 1, in, "exist");
    int matlab = error == NULL && out[0] != NULL && mxGetScalar(out[0]) == 0.0;

    mxDestroyArray(in[0]);
    if (out[0] != NULL) {
        mxDestroyArray(out[0]);
    }
    return matlab;
}

static void know_host(void)
{
    if (!watch.known) {
        watch.known = 1;
        watch.is_matlab = host_is_matlab();
        void *program = watch.is_matlab ? NULL : dlopen(NULL, RTLD_LAZY);
        watch.state = program != NULL ? dlsym(program, "octave_interrupt_state") : NULL;
        if (program != NULL) {
            dlclose(program);
        }
    }
}

/* Has SIGINT been counted? unwind_protect in a callback sets the counter to 0 for a while: that is none. */
static int counted(void)
{
    sig_atomic_t n = *watch.state;

    return n > HANDLING && n < HANDLING / 2;
}

static void *look(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&watch.lock);
    while (!watch.end && !watch.caught) {
        struct timespec until = { 0 };

        timespec_get(&until, TIME_UTC);
        until.tv_nsec += 20000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&watch.over, &watch.lock, &until);
        if (!watch.end && counted()) {
            watch.caught = 1;
            mdldm_context_cancel(watch.ctx);
        }
    }
    pthread_mutex_unlock(&watch.lock);
    return NULL;
}

void mex_interrupt_begin(mdldm_context *ctx)
{
    sigset_t all, before;

    know_host();
    watch.ctx = ctx;
    watch.caught = watch.end = watch.running = 0;
    if (watch.state == NULL) {
        return;
    }
    watch.before = *watch.state;
    *watch.state = HANDLING;
    sigfillset(&all); /* the host's signals are not for our thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    watch.running = pthread_create(&watch.thread, NULL, look, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void mex_interrupt_end(mex_call *c)
{
    if (watch.running) {
        pthread_mutex_lock(&watch.lock);
        watch.end = 1;
        pthread_cond_signal(&watch.over);
        pthread_mutex_unlock(&watch.lock);
        pthread_join(watch.thread, NULL);
        c->asked |= watch.caught;
    }
    if (watch.state != NULL) {
        c->interrupted |= watch.caught || counted();
        *watch.state = watch.before;
    }
}

int mex_interrupt_poll(mex_call *c)
{
    struct timespec t = { 0 };
    double seconds;

    if (!watch.is_matlab) {
        return 0;
    }
    timespec_get(&t, TIME_UTC);
    seconds = difftime(t.tv_sec, watch.polled.tv_sec) + 1e-9 * (double)(t.tv_nsec - watch.polled.tv_nsec);
    if (seconds >= 0.0 && seconds < 0.1) {
        return 0;
    }
    watch.polled = t;
    if (mexCallMATLABWithTrap(0, NULL, 0, NULL, "drawnow") == NULL) {
        return 0;
    }
    c->interrupted = 1;
    return 1;
}
