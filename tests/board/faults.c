/* A disk that fails on command, for LD_PRELOAD: writes to files of the database fail with the error
 * whose number stands in the file that FAULTS names, as long as there is such a file. Behind the number
 * an `s` has nothing but syncs fail. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fault(int fd, int is_sync) {
    char link[64], path[4096], text[16];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (!strstr(path, "pushgate.db")) return 0;
    const char *name = getenv("FAULTS");
    int faults = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (faults < 0) return 0;
    length = read(faults, text, sizeof text - 1);
    close(faults);
    text[length < 0 ? 0 : length] = 0;
    return is_sync || !strchr(text, 's') ? atoi(text) : 0;
}

#define FAIL_OR(fd, is_sync, name, type, ...)                \
    int error = fault(fd, is_sync);                          \
    if (error) { errno = error; return -1; }                 \
    static type real;                                        \
    if (!real) real = (type)dlsym(RTLD_NEXT, #name);         \
    return real(__VA_ARGS__)

typedef ssize_t (*write_t)(int, const void *, size_t);
typedef ssize_t (*pwrite_t)(int, const void *, size_t, off_t);
typedef int (*sync_t)(int);
typedef int (*truncate_t)(int, off_t);

ssize_t write(int fd, const void *from, size_t length) {
    FAIL_OR(fd, 0, write, write_t, fd, from, length);
}
ssize_t pwrite(int fd, const void *from, size_t length, off_t at) {
    FAIL_OR(fd, 0, pwrite, pwrite_t, fd, from, length, at);
}
ssize_t pwrite64(int fd, const void *from, size_t length, off_t at) {
    FAIL_OR(fd, 0, pwrite64, pwrite_t, fd, from, length, at);
}
int fsync(int fd) { FAIL_OR(fd, 1, fsync, sync_t, fd); }
int fdatasync(int fd) { FAIL_OR(fd, 1, fdatasync, sync_t, fd); }
int ftruncate(int fd, off_t length) { FAIL_OR(fd, 0, ftruncate, truncate_t, fd, length); }
int ftruncate64(int fd, off_t length) { FAIL_OR(fd, 0, ftruncate64, truncate_t, fd, length); }
