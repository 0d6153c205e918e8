/* What lstat says of one path, as an object that costs little to make, and reading a file that
 * should still be what it says. `stat` makes these objects; others take them. */
#ifndef NIGHTSAFE_STATUS_H
#define NIGHTSAFE_STATUS_H

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* The order is the one of nightsafe.fs.lstat.RECORD. */
typedef struct {
    PyObject_HEAD
    unsigned long long mode, size, ino, uid, gid, nlink, dev, rdev;
    struct timespec mtime, ctime; /* in nanoseconds they would end in the year 2262 */
} Status;

/* Where a file's content goes: `size` bytes, and one more to see that there are none. */
typedef struct {
    char *data;
    Py_ssize_t size;
    int has_xattrs;
} Content;

static inline void
status_fill(Status *self, const struct stat *found)
{
    self->mode = found->st_mode;
    self->size = (unsigned long long)found->st_size;
    self->ino = found->st_ino;
    self->uid = found->st_uid;
    self->gid = found->st_gid;
    self->nlink = found->st_nlink;
    self->dev = found->st_dev;
    self->rdev = found->st_rdev;
    self->mtime = found->st_mtim;
    self->ctime = found->st_ctim;
}

static inline int
status_is_same(const struct stat *now, const Status *before)
{
    return now->st_ino == before->ino && now->st_dev == before->dev &&
           now->st_mode == before->mode && (unsigned long long)now->st_size == before->size &&
           now->st_mtim.tv_sec == before->mtime.tv_sec &&
           now->st_mtim.tv_nsec == before->mtime.tv_nsec;
}

/* Opens a file to be read; where that is allowed, without a trace in its time of access. */
static inline int
status_open_quietly(int at, const char *path, const Status *before)
{
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
#ifdef O_NOATIME
    uid_t me = geteuid();
    if (me == 0 || me == before->uid) {
        int fd = openat(at, path, flags | O_NOATIME);
        if (fd >= 0 || errno != EPERM)
            return fd;
    }
#endif
    return openat(at, path, flags);
}

/* Fills `content` from `path`, seen from the open folder `at`; false if the file is not what it
 * was, or cannot be read. */
static inline int
status_read_whole(int at, const char *path, const Status *before, Content *content)
{
    int fd = status_open_quietly(at, path, before);
    if (fd < 0)
        return 0;
    /* One byte more is asked for than there should be, so a short answer says it is all. */
    Py_ssize_t held = read(fd, content->data, (size_t)content->size + 1);
    struct stat now;
    int is_done = held == content->size && fstat(fd, &now) == 0 && status_is_same(&now, before);
    content->has_xattrs = flistxattr(fd, NULL, 0) != 0; /* or unknown */
    close(fd);
    return is_done;
}

#endif
