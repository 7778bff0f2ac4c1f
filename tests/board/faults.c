/* A disk that fails on command, for LD_PRELOAD: writes to files of the database fail with the error
 * whose number stands in the file that FAULTS names, as long as there is such a file. Behind the number
 * an `s` has nothing but syncs fail, and a `p` has each write broken off before its end, as on a disk
 * that is full. FAULTS_AT names other files than the database, by a part of their
 * path. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { WRITE, SYNC, TRUNCATE };

/* The last bytes of a write, for which there is no room. */
#define NO_ROOM 10

static int fault(int fd, int what, size_t *length_to_write) {
    char link[64], path[4096], text[16];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    const char *at = getenv("FAULTS_AT");
    if (!strstr(path, at ? at : "pushgate.db")) return 0;
    const char *name = getenv("FAULTS");
    int faults = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (faults < 0) return 0;
    length = read(faults, text, sizeof text - 1);
    close(faults);
    text[length < 0 ? 0 : length] = 0;
    if (strchr(text, 's')) return what == SYNC ? atoi(text) : 0;
    if (!strchr(text, 'p')) return atoi(text);
    if (what != WRITE) return 0;
    if (*length_to_write <= NO_ROOM) return atoi(text);
    *length_to_write -= NO_ROOM;
    return 0;
}

#define FAIL_OR(fd, what, written, name, type, ...)          \
    int error = fault(fd, what, written);                    \
    if (error) { errno = error; return -1; }                 \
    static type real;                                        \
    if (!real) real = (type)dlsym(RTLD_NEXT, #name);         \
    return real(__VA_ARGS__)

typedef ssize_t (*write_t)(int, const void *, size_t);
typedef ssize_t (*pwrite_t)(int, const void *, size_t, off_t);
typedef int (*sync_t)(int);
typedef int (*truncate_t)(int, off_t);

ssize_t write(int fd, const void *from, size_t length) {
    FAIL_OR(fd, WRITE, &length, write, write_t, fd, from, length);
}
ssize_t pwrite(int fd, const void *from, size_t length, off_t at) {
    FAIL_OR(fd, WRITE, &length, pwrite, pwrite_t, fd, from, length, at);
}
ssize_t pwrite64(int fd, const void *from, size_t length, off_t at) {
    FAIL_OR(fd, WRITE, &length, pwrite64, pwrite_t, fd, from, length, at);
}
int fsync(int fd) { FAIL_OR(fd, SYNC, NULL, fsync, sync_t, fd); }
int fdatasync(int fd) { FAIL_OR(fd, SYNC, NULL, fdatasync, sync_t, fd); }
int ftruncate(int fd, off_t length) { FAIL_OR(fd, TRUNCATE, NULL, ftruncate, truncate_t, fd, length); }
int ftruncate64(int fd, off_t length) { FAIL_OR(fd, TRUNCATE, NULL, ftruncate64, truncate_t, fd, length); }
