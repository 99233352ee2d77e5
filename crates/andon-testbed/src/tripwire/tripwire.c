/* Preloaded into the programs under test: counts what they do to files below one path, in one order over all
 * processes, and kills the process, or cuts the power of the file system, at the event with a given number.
 *
 * TRIPWIRE_WATCH   files whose path begins with this count
 * TRIPWIRE_KINDS   the kinds of events that count, separated by blanks
 * TRIPWIRE_BOOK    a line for each event; the last one says that it has happened
 * TRIPWIRE_ONLY    a pattern of the shell, for `kind path`: of the events that it matches,
 * TRIPWIRE_AT      the one with this number is where it happens, from 1; 0 for never
 * TRIPWIRE_MOMENT  `before` or `after` the event took effect
 * TRIPWIRE_MOUNT   where set, the file system mounted there is shut down without flushing, before the process dies
 *
 * Programs that call the kernel without the C library are not seen.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define LONGEST 512
/* EXT4_IOC_SHUTDOWN, and its way of not flushing the log. */
#define SHUTDOWN 0x8004587dU
#define WITHOUT_FLUSHING 2U

/* Whether the next write to a file is the first since something was made durable: the begin of a transaction. */
static int begins = 1;

static void trip(void) {
    const char *mount = getenv("TRIPWIRE_MOUNT");
    if (mount) {
        unsigned how = WITHOUT_FLUSHING;
        int fd = (int)syscall(SYS_openat, AT_FDCWD, mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
        if (fd < 0 || syscall(SYS_ioctl, fd, SHUTDOWN, &how) != 0) {
            perror("tripwire: the power could not be cut");
        }
    }
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

static int is_wanted(const char *kind, const char *path) {
    const char *watch = getenv("TRIPWIRE_WATCH"), *kinds = getenv("TRIPWIRE_KINDS");
    if (!watch || !kinds || strncmp(path, watch, strlen(watch)) != 0) return 0;
    size_t length = strlen(kind);
    for (const char *at = kinds; (at = strstr(at, kind)); at += length) {
        if ((at == kinds || at[-1] == ' ') && (at[length] == 0 || at[length] == ' ')) return 1;
    }
    return 0;
}

/* Appends to a file, and answers where what was appended ends: each append moves the offset of its own open file, so
 * that two of them never get the same answer. */
static long append(const char *path, const char *bytes, size_t length) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return 0;
    syscall(SYS_write, fd, bytes, length);
    long end = (long)lseek(fd, 0, SEEK_CUR);
    syscall(SYS_close, fd);
    return end;
}

/* Takes note of an event; whether it is the one after which it happens. */
static int meet(const char *kind, const char *path) {
    int saved = errno, after = 0;
    const char *book = getenv("TRIPWIRE_BOOK"), *only = getenv("TRIPWIRE_ONLY"), *at = getenv("TRIPWIRE_AT");
    const char *moment = getenv("TRIPWIRE_MOMENT");
    if (!book || !is_wanted(kind, path)) return 0;
    char line[LONGEST], counter[PATH_MAX];
    snprintf(line, sizeof line - 1, "%s %s", kind, path);
    int matches = at && atol(at) > 0 && (!only || fnmatch(only, line, 0) == 0);
    strcat(line, "\n");
    append(book, line, strlen(line));
    snprintf(counter, sizeof counter, "%s.matches", book);
    if (matches && append(counter, ".", 1) == atol(at)) {
        append(book, "tripped\n", 8);
        if (moment && strcmp(moment, "after") == 0) after = 1;
        else trip();
    }
    errno = saved;
    return after;
}

static void of_descriptor(int fd, char path[PATH_MAX]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
}

static void of_name(int dir, const char *name, char path[PATH_MAX]) {
    path[0] = 0;
    if (name[0] != '/' && dir != AT_FDCWD) {
        of_descriptor(dir, path);
        strncat(path, "/", PATH_MAX - strlen(path) - 1);
    }
    strncat(path, name, PATH_MAX - strlen(path) - 1);
}

static int on_descriptor(const char *kind, int fd) {
    char path[PATH_MAX];
    int saved = errno;
    of_descriptor(fd, path);
    errno = saved;
    return meet(kind, path);
}

static int on_name(const char *kind, int dir, const char *name) {
    char path[PATH_MAX];
    int saved = errno;
    of_name(dir, name, path);
    errno = saved;
    return meet(kind, path);
}

#define EVENT(seen, call) \
    int after = (seen); \
    long result = (call); \
    if (after) trip(); \
    return result;

static int on_write(int fd) {
    char path[PATH_MAX];
    int saved = errno;
    of_descriptor(fd, path);
    errno = saved;
    const char *watch = getenv("TRIPWIRE_WATCH");
    if (!watch || strncmp(path, watch, strlen(watch)) != 0) return 0;
    if (begins) {
        begins = 0;
        if (meet("begin", path)) return 1;
    }
    return meet("write", path);
}

static int on_sync(int fd) {
    begins = 1;
    return on_descriptor("sync", fd);
}

ssize_t write(int fd, const void *bytes, size_t count) { EVENT(on_write(fd), syscall(SYS_write, fd, bytes, count)) }
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    EVENT(on_write(fd), syscall(SYS_pwrite64, fd, bytes, count, at))
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    EVENT(on_write(fd), syscall(SYS_pwrite64, fd, bytes, count, at))
}
int fsync(int fd) { EVENT(on_sync(fd), syscall(SYS_fsync, fd)) }
int fdatasync(int fd) { EVENT(on_sync(fd), syscall(SYS_fdatasync, fd)) }
int ftruncate(int fd, off_t length) { EVENT(on_descriptor("truncate", fd), syscall(SYS_ftruncate, fd, length)) }
int ftruncate64(int fd, off64_t length) { EVENT(on_descriptor("truncate", fd), syscall(SYS_ftruncate, fd, length)) }
int rename(const char *old, const char *new) {
    EVENT(on_name("rename", AT_FDCWD, new), syscall(SYS_rename, old, new))
}
int renameat(int from, const char *old, int to, const char *new) {
    EVENT(on_name("rename", to, new), syscall(SYS_renameat, from, old, to, new))
}
int symlink(const char *target, const char *name) {
    EVENT(on_name("link", AT_FDCWD, name), syscall(SYS_symlink, target, name))
}
int mkdir(const char *name, mode_t mode) { EVENT(on_name("mkdir", AT_FDCWD, name), syscall(SYS_mkdir, name, mode)) }
int unlink(const char *name) { EVENT(on_name("remove", AT_FDCWD, name), syscall(SYS_unlink, name)) }
int rmdir(const char *name) { EVENT(on_name("remove", AT_FDCWD, name), syscall(SYS_rmdir, name)) }
int unlinkat(int dir, const char *name, int flags) {
    EVENT(on_name("remove", dir, name), syscall(SYS_unlinkat, dir, name, flags))
}
