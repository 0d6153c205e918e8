/* What lstat says of many paths at once, in objects that cost little to make.
 *
 * nightsafe.look does the same in Python when this extension is missing.
 */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>
#include <structmember.h>
#include <errno.h>
#include <limits.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdint.h>
#include <string.h>

#include "status.h"

enum { FIELDS = 10, BATCH = 128 };

static PyMemberDef status_members[] = {
    {"st_mode", T_ULONGLONG, offsetof(Status, mode), READONLY, NULL},
    {"st_size", T_ULONGLONG, offsetof(Status, size), READONLY, NULL},
    {"st_ino", T_ULONGLONG, offsetof(Status, ino), READONLY, NULL},
    {"st_uid", T_ULONGLONG, offsetof(Status, uid), READONLY, NULL},
    {"st_gid", T_ULONGLONG, offsetof(Status, gid), READONLY, NULL},
    {"st_nlink", T_ULONGLONG, offsetof(Status, nlink), READONLY, NULL},
    {"st_dev", T_ULONGLONG, offsetof(Status, dev), READONLY, NULL},
    {"st_rdev", T_ULONGLONG, offsetof(Status, rdev), READONLY, NULL},
    {"st_mtime_ns", T_LONGLONG, offsetof(Status, mtime_ns), READONLY, NULL},
    {"st_ctime_ns", T_LONGLONG, offsetof(Status, ctime_ns), READONLY, NULL},
    {NULL},
};

static PyTypeObject StatusType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "nightsafe._look.Status",
    .tp_basicsize = sizeof(Status),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "What lstat says of one path.",
    .tp_members = status_members,
};

static PyObject *
new_status(const struct stat *found)
{
    Status *self = PyObject_New(Status, &StatusType);
    if (self == NULL)
        return NULL;
    self->mode = found->st_mode;
    self->size = (unsigned long long)found->st_size;
    self->ino = found->st_ino;
    self->uid = found->st_uid;
    self->gid = found->st_gid;
    self->nlink = found->st_nlink;
    self->dev = found->st_dev;
    self->rdev = found->st_rdev;
    self->mtime_ns = found->st_mtim.tv_sec * 1000000000LL + found->st_mtim.tv_nsec;
    self->ctime_ns = found->st_ctim.tv_sec * 1000000000LL + found->st_ctim.tv_nsec;
    return (PyObject *)self;
}

/* The length of the folder's part that all paths share, up to the last slash of each; else 0. */
static size_t
shared_folder(const char *const *paths, Py_ssize_t count)
{
    const char *slash = strrchr(paths[0], '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - paths[0]) + 1;
    for (Py_ssize_t i = 0; length && i < count; i++)
        if (strncmp(paths[i], paths[0], length) != 0 || paths[i][length] == 0 ||
            strchr(paths[i] + length, '/') != NULL)
            return 0;
    return length > 1 && length < PATH_MAX ? length : 0;
}

/* The folder that all paths share, open, so that it is looked up once; -1 to look up each path. */
static int
open_folder(const char *path, size_t length)
{
    char folder[PATH_MAX];
    if (length == 0)
        return -1;
    memcpy(folder, path, length);
    folder[length] = 0;
    return open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Some paths' statuses while other threads run; the caller holds on to the paths. */
static void
look_at(const char *const *paths, Py_ssize_t count, struct stat *found, int *errors)
{
    Py_BEGIN_ALLOW_THREADS
    size_t length = shared_folder(paths, count);
    int folder = open_folder(paths[0], length);
    for (Py_ssize_t i = 0; i < count; i++) {
        const char *rest = paths[i] + (folder < 0 ? 0 : length);
        int at = folder < 0 ? AT_FDCWD : folder;
        errors[i] = fstatat(at, rest, &found[i], AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
    }
    if (folder >= 0)
        close(folder);
    Py_END_ALLOW_THREADS
}

static int
paths_of(PyObject *list, Py_ssize_t start, Py_ssize_t count, const char **paths)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *path = PyList_GET_ITEM(list, start + i);
        char *text;
        Py_ssize_t length;
        if (PyBytes_AsStringAndSize(path, &text, &length) < 0)
            return -1;
        if ((size_t)length != strlen(text)) {
            PyErr_SetString(PyExc_ValueError, "A path contains a zero byte.");
            return -1;
        }
        paths[i] = text;
    }
    return 0;
}

static PyObject *
look(PyObject *module, PyObject *given)
{
    (void)module;
    if (!PyList_CheckExact(given)) {
        PyErr_SetString(PyExc_TypeError, "look takes a list of paths.");
        return NULL;
    }
    /* Nobody else can change this one while other threads run. */
    PyObject *list = PyList_GetSlice(given, 0, PyList_GET_SIZE(given));
    if (list == NULL)
        return NULL;
    Py_ssize_t size = PyList_GET_SIZE(list);
    PyObject *answer = PyList_New(size);
    for (Py_ssize_t start = 0; answer != NULL && start < size; start += BATCH) {
        const char *paths[BATCH];
        struct stat found[BATCH];
        int errors[BATCH];
        Py_ssize_t count = size - start < BATCH ? size - start : BATCH;
        if (paths_of(list, start, count, paths) < 0) {
            Py_CLEAR(answer);
            break;
        }
        look_at(paths, count, found, errors);
        for (Py_ssize_t i = 0; i < count && answer != NULL; i++) {
            PyObject *one = errors[i] ? PyLong_FromLong(errors[i]) : new_status(&found[i]);
            if (one == NULL)
                Py_CLEAR(answer);
            else
                PyList_SET_ITEM(answer, start + i, one);
        }
    }
    Py_DECREF(list);
    return answer;
}

static uint8_t *
put_number(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (8 * i));
    return at + 8;
}

static uint8_t *
put_entry(uint8_t *at, PyObject *name, const Status *status)
{
    Py_ssize_t length = PyBytes_GET_SIZE(name);
    at = put_number(at, (uint64_t)length);
    memcpy(at, PyBytes_AS_STRING(name), (size_t)length);
    at += length;
    const uint64_t numbers[FIELDS] = {
        status->mode, status->size,  status->ino, status->uid, status->gid, status->nlink,
        status->dev,  status->rdev, (uint64_t)status->mtime_ns, (uint64_t)status->ctime_ns,
    };
    for (int i = 0; i < FIELDS; i++)
        at = put_number(at, numbers[i]);
    return at;
}

/* record(entries): the text that stands for entries (name, path, status), to be hashed. */
static PyObject *
record(PyObject *module, PyObject *entries)
{
    (void)module;
    if (!PyList_CheckExact(entries)) {
        PyErr_SetString(PyExc_TypeError, "record takes a list of entries.");
        return NULL;
    }
    Py_ssize_t size = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(entries); i++) {
        PyObject *entry = PyList_GET_ITEM(entries, i);
        if (!PyTuple_CheckExact(entry) || PyTuple_GET_SIZE(entry) != 3 ||
            !PyBytes_CheckExact(PyTuple_GET_ITEM(entry, 0)) ||
            !Py_IS_TYPE(PyTuple_GET_ITEM(entry, 2), &StatusType)) {
            PyErr_SetString(PyExc_TypeError, "An entry is a name, a path and a Status.");
            return NULL;
        }
        size += PyBytes_GET_SIZE(PyTuple_GET_ITEM(entry, 0)) + 8 * (FIELDS + 1);
    }
    PyObject *text = PyBytes_FromStringAndSize(NULL, size);
    if (text == NULL)
        return NULL;
    uint8_t *at = (uint8_t *)PyBytes_AS_STRING(text);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(entries); i++) {
        PyObject *entry = PyList_GET_ITEM(entries, i);
        at = put_entry(at, PyTuple_GET_ITEM(entry, 0), (Status *)PyTuple_GET_ITEM(entry, 2));
    }
    return text;
}

/* load(path, status, room): whether there may be extended attributes, when the content stands at
 * the beginning of `room`; None if the file is not what its status says, or cannot be read. */
static PyObject *
load(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    Py_buffer room;
    if (count != 3 || !PyBytes_CheckExact(args[0]) || !Py_IS_TYPE(args[1], &StatusType)) {
        PyErr_SetString(PyExc_TypeError, "load takes a path, a Status and a buffer.");
        return NULL;
    }
    if (PyObject_GetBuffer(args[2], &room, PyBUF_WRITABLE) < 0)
        return NULL;
    unsigned long long size = ((const Status *)args[1])->size;
    if (size >= (unsigned long long)room.len) {
        PyBuffer_Release(&room);
        PyErr_SetString(PyExc_ValueError, "There is no room here for the file.");
        return NULL;
    }
    Content content = {.data = room.buf, .size = (Py_ssize_t)size};
    int is_done;
    Py_BEGIN_ALLOW_THREADS
    is_done = read_whole(AT_FDCWD, PyBytes_AS_STRING(args[0]), (const Status *)args[1], &content);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&room);
    if (!is_done)
        Py_RETURN_NONE;
    return PyBool_FromLong(content.has_xattrs);
}

/* trim(): gives memory back that the allocator keeps for later. */
static PyObject *
trim(PyObject *module, PyObject *nothing)
{
    (void)module;
    (void)nothing;
#ifdef __GLIBC__
    malloc_trim(1 << 20);
#endif
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"trim", trim, METH_NOARGS, "trim(): give memory back that the allocator keeps for later."},
    {"load", (PyCFunction)(void (*)(void))load, METH_FASTCALL,
     "load(path, status, room): read a file; whether there may be extended attributes, or None."},
    {"look", look, METH_O, "look(paths): for each path its Status, or the errno that lstat gave."},
    {"record", record, METH_O, "record(entries): a text that stands for entries (name, path, Status)."},
    {NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT,
                                    .m_name = "nightsafe._look",
                                    .m_doc = "Looking at many paths.",
                                    .m_size = -1,
                                    .m_methods = methods};

PyMODINIT_FUNC
PyInit__look(void)
{
    if (PyType_Ready(&StatusType) < 0)
        return NULL;
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && PyModule_AddObjectRef(made, "Status", (PyObject *)&StatusType) < 0)
        Py_CLEAR(made);
    return made;
}
