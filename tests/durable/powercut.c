/* A disk that loses its power, for LD_PRELOAD: what is synced of the files of the database is copied to
 * the directory that SYNCED names, as it is then. What is there when the process is killed is what a disk
 * has that forgot all that was not synced. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int copy(int from, int to) {
    char buffer[65536];
    off_t at = 0;
    for (;;) {
        ssize_t length = pread(from, buffer, sizeof buffer, at);
        if (length < 0) return -1;
        if (length == 0) return 0;
        if (write(to, buffer, length) != length) return -1;
        at += length;
    }
}

static int synced(int fd) {
    char link[64], path[4096], part[4200], whole[4200];
    const char *directory = getenv("SYNCED");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (!directory || length < 0) return 0;
    path[length] = 0;
    const char *name = strrchr(path, '/');
    if (!name || strncmp(name, "/pushgate.db", 12)) return 0;
    /* A descriptor may be open for writing alone, or be of a file that has lost its name. */
    int from = open(link, O_RDONLY | O_CLOEXEC);
    if (from < 0) return 0;
    long thread = syscall(SYS_gettid);
    snprintf(part, sizeof part, "%s/part-%ld", directory, thread);
    snprintf(whole, sizeof whole, "%s%s", directory, name);
    int to = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int failed = to < 0 || copy(from, to);
    close(from);
    if (to >= 0) close(to);
    if (failed || rename(part, whole)) {
        errno = EIO;
        return -1;
    }
    return 1;
}

typedef int (*sync_t)(int);

#define SYNC(name)                                           \
    int name(int fd) {                                       \
        int done = synced(fd);                               \
        if (done) return done < 0 ? -1 : 0;                  \
        static sync_t real;                                  \
        if (!real) real = (sync_t)dlsym(RTLD_NEXT, #name);   \
        return real(fd);                                     \
    }

SYNC(fsync)
SYNC(fdatasync)
