/* A process that is halted at a moment, for LD_PRELOAD: before its HALT_ATth call that changes anything
 * on a disk it sends itself the signal HALT_WITH. Below READ_ONLY, a path, nothing can be written. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int count;

static void step(void) {
    const char *at = getenv("HALT_AT"), *with = getenv("HALT_WITH");
    if (at && with && ++count == atoi(at)) kill(getpid(), atoi(with));
}

static int is_denied(const char *path) {
    const char *below = getenv("READ_ONLY");
    return below && !strncmp(path, below, strlen(below));
}

#define STEP(type, name, parameters, ...)                    \
    type name parameters {                                   \
        static type(*real) parameters;                       \
        if (!real) real = dlsym(RTLD_NEXT, #name);           \
        step();                                              \
        return real(__VA_ARGS__);                            \
    }

STEP(ssize_t, write, (int fd, const void *from, size_t length), fd, from, length)
STEP(ssize_t, pwrite, (int fd, const void *from, size_t length, off_t at), fd, from, length, at)
STEP(ssize_t, pwrite64, (int fd, const void *from, size_t length, off_t at), fd, from, length, at)
STEP(int, fsync, (int fd), fd)
STEP(int, fdatasync, (int fd), fd)
STEP(int, ftruncate, (int fd, off_t length), fd, length)
STEP(int, ftruncate64, (int fd, off_t length), fd, length)
STEP(int, rename, (const char *from, const char *to), from, to)
STEP(int, unlink, (const char *path), path)
STEP(int, mkdir, (const char *path, mode_t mode), path, mode)

#define OPEN(name)                                           \
    int name(const char *path, int flags, ...) {             \
        static int (*real)(const char *, int, ...);          \
        if (!real) real = dlsym(RTLD_NEXT, #name);           \
        va_list more;                                        \
        va_start(more, flags);                               \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0; \
        va_end(more);                                        \
        if (flags & O_CREAT) step();                         \
        if (flags & (O_CREAT | O_WRONLY | O_RDWR) && is_denied(path)) { \
            errno = EROFS;                                   \
            return -1;                                       \
        }                                                    \
        return real(path, flags, mode);                      \
    }

OPEN(open)
OPEN(open64)
