/* What lstat says of one path, as an object that costs little to make, and reading a file that
 * should still be what it says. `stat` makes these objects; others take them. */
#ifndef NIGHTSAFE_STATUS_H
#define NIGHTSAFE_STATUS_H

#include <Python.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
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

/* How others get at the type: a capsule of this name, with what stands there as long as the module
 * does. Another version after every change of Status or of StatusApi. */
#define STATUS_MODULE "nightsafe._native.stat"
#define STATUS_CAPSULE STATUS_MODULE "._C_API"
enum { STATUS_VERSION = 1 };

typedef struct {
    size_t version, status_size;
    PyTypeObject *type;
} StatusApi;

/* A new reference to the type of the objects; NULL with an exception set. */
static inline PyTypeObject *
status_import_type(void)
{
    PyTypeObject *type = NULL;
    PyObject *module = PyImport_ImportModule(STATUS_MODULE);
    PyObject *capsule = module == NULL ? NULL : PyObject_GetAttrString(module, "_C_API");
    const StatusApi *api = capsule == NULL ? NULL : PyCapsule_GetPointer(capsule, STATUS_CAPSULE);
    if (api != NULL && api->version == STATUS_VERSION && api->status_size == sizeof(Status))
        type = (PyTypeObject *)Py_NewRef(api->type);
    else if (api != NULL)
        PyErr_SetString(PyExc_ImportError, STATUS_MODULE " is of another version.");
    Py_XDECREF(capsule);
    Py_XDECREF(module);
    return type;
}

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

/* Opens the folder that the first `length` bytes of `path` name, so that it is looked up once for
 * all that is in it; -1 if that is not possible. */
static inline int
status_open_folder(const char *path, size_t length)
{
    char folder[PATH_MAX];
    if (length < 2 || length >= sizeof folder)
        return -1;
    memcpy(folder, path, length);
    folder[length] = 0;
    return open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
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
