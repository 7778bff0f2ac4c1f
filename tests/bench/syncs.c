/* Counts the syncs of a process, and has each take longer: loaded before the system's library.
   SYNCS names a file of eight bytes for the count, SYNC_MICROS says how much longer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static _Atomic uint64_t *count;
static long micros;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("SYNCS"), *more = getenv("SYNC_MICROS");
    int file = path ? open(path, O_RDWR) : -1;
    void *page = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file >= 0) close(file);
    if (page != MAP_FAILED) count = page;
    micros = more ? atol(more) : 0;
}

static int synced(int done) {
    struct timespec time = {micros / 1000000, micros % 1000000 * 1000};
    if (count) atomic_fetch_add(count, 1);
    if (micros > 0) nanosleep(&time, 0);
    return done;
}

int fsync(int file) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return synced(real(file));
}

int fdatasync(int file) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return synced(real(file));
}
