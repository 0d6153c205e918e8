/* What lstat says of many paths at once, in objects that cost little to make.
 *
 * nightsafe.fs.lstat does the same in Python when this extension is missing.
 */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "listing.h"
#include "module.h"
#include "status.h"
#include "status_type.h"

enum { BATCH = 128, FOLDERS = 32 };

typedef struct {
    PyTypeObject *status_type;
    StatusApi api;
} StatState;

static PyObject *
stat_new_status(PyTypeObject *type, const struct stat *found)
{
    Status *self = PyObject_New(Status, type);
    if (self != NULL)
        status_fill(self, found);
    return (PyObject *)self;
}

/* The length of the folder's part that all paths share, up to the last slash of each; else 0. */
static size_t
stat_shared_folder(const char *const *paths, Py_ssize_t count)
{
    const char *slash = strrchr(paths[0], '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - paths[0]) + 1;
    for (Py_ssize_t i = 0; length && i < count; i++)
        if (strncmp(paths[i], paths[0], length) != 0 || paths[i][length] == 0 ||
            strchr(paths[i] + length, '/') != NULL)
            return 0;
    return length;
}

/* Some paths' statuses while other threads run; the caller holds on to the paths. */
static void
stat_look_at(const char *const *paths, Py_ssize_t count, struct stat *found, int *errors)
{
    Py_BEGIN_ALLOW_THREADS
    size_t length = stat_shared_folder(paths, count);
    int folder = status_open_folder(paths[0], length);
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
stat_paths_of(PyObject *list, Py_ssize_t start, Py_ssize_t count, const char **paths)
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
stat_look(PyObject *module, PyObject *given)
{
    PyTypeObject *type = ((StatState *)PyModule_GetState(module))->status_type;
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
        const char *paths[BATCH] = {NULL};
        struct stat found[BATCH];
        int errors[BATCH];
        Py_ssize_t count = size - start < BATCH ? size - start : BATCH;
        if (stat_paths_of(list, start, count, paths) < 0) {
            Py_CLEAR(answer);
            break;
        }
        stat_look_at(paths, count, found, errors);
        for (Py_ssize_t i = 0; i < count && answer != NULL; i++) {
            PyObject *one =
                errors[i] ? PyLong_FromLong(errors[i]) : stat_new_status(type, &found[i]);
            if (one == NULL)
                Py_CLEAR(answer);
            else
                PyList_SET_ITEM(answer, start + i, one);
        }
    }
    Py_DECREF(list);
    return answer;
}

/* record(entries): the text that stands for entries (name, path, status), to be hashed. */
static PyObject *
stat_record(PyObject *module, PyObject *entries)
{
    PyTypeObject *type = ((StatState *)PyModule_GetState(module))->status_type;
    if (!PyList_CheckExact(entries)) {
        PyErr_SetString(PyExc_TypeError, "record takes a list of entries.");
        return NULL;
    }
    Py_ssize_t size = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(entries); i++) {
        PyObject *entry = PyList_GET_ITEM(entries, i);
        if (!PyTuple_CheckExact(entry) || PyTuple_GET_SIZE(entry) != 3 ||
            !PyBytes_CheckExact(PyTuple_GET_ITEM(entry, 0)) ||
            !Py_IS_TYPE(PyTuple_GET_ITEM(entry, 2), type)) {
            PyErr_SetString(PyExc_TypeError, "An entry is a name, a path and a Status.");
            return NULL;
        }
        size += PyBytes_GET_SIZE(PyTuple_GET_ITEM(entry, 0)) + 8 * (LISTING_FIELDS + 1);
    }
    PyObject *text = PyBytes_FromStringAndSize(NULL, size);
    if (text == NULL)
        return NULL;
    uint8_t *at = (uint8_t *)PyBytes_AS_STRING(text);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(entries); i++) {
        PyObject *entry = PyList_GET_ITEM(entries, i), *name = PyTuple_GET_ITEM(entry, 0);
        const Status *status = (const Status *)PyTuple_GET_ITEM(entry, 2);
        at = listing_put(at, PyBytes_AS_STRING(name), (size_t)PyBytes_GET_SIZE(name), status);
    }
    return text;
}

/* The listing's names with zeros between them, its record, and the names of folders. */
static PyObject *
stat_told(const Listing *it)
{
    PyObject *folders = PyList_New(0);
    for (Py_ssize_t i = 0; folders != NULL && i < it->count; i++) {
        if (!it->is_folder[i])
            continue;
        PyObject *name = PyBytes_FromString(it->names[i]);
        if (name == NULL || PyList_Append(folders, name) < 0)
            Py_CLEAR(folders);
        Py_XDECREF(name);
    }
    if (folders == NULL)
        return NULL;
    Py_ssize_t length = it->held ? (Py_ssize_t)it->held - 1 : 0;
    return Py_BuildValue("(y#y#N)", it->joined, length, it->record, (Py_ssize_t)it->record_size,
                         folders);
}

/* What is told of one folder; `error` is an errno. */
static PyObject *
stat_verdict(const Listing *it, int error, Py_ssize_t most)
{
    if (error == ENOMEM)
        return PyErr_NoMemory();
    if (error)
        return PyLong_FromLong(error);
    return it->count > most ? Py_NewRef(Py_None) : stat_told(it);
}

/* survey(paths, most): for each folder its names, record and folders; None if it has more than
 * `most` entries; the errno if it or an entry cannot be looked at. */
static PyObject *
stat_survey(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *given;
    Py_ssize_t most;
    if (!PyArg_ParseTuple(args, "O!n", &PyList_Type, &given, &most))
        return NULL;
    /* Nobody else can change this one while other threads run. */
    PyObject *list = PyList_GetSlice(given, 0, PyList_GET_SIZE(given));
    if (list == NULL)
        return NULL;
    Py_ssize_t size = PyList_GET_SIZE(list);
    PyObject *answer = PyList_New(size);
    for (Py_ssize_t start = 0; answer != NULL && start < size; start += FOLDERS) {
        const char *paths[FOLDERS];
        Listing found[FOLDERS];
        int errors[FOLDERS];
        Py_ssize_t count = size - start < FOLDERS ? size - start : FOLDERS;
        if (stat_paths_of(list, start, count, paths) < 0) {
            Py_CLEAR(answer);
            break;
        }
        memset(found, 0, sizeof found);
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < count; i++)
            errors[i] = listing_read(&found[i], paths[i], most);
        Py_END_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < count; i++) {
            PyObject *one = answer == NULL ? NULL : stat_verdict(&found[i], errors[i], most);
            listing_free(&found[i]);
            if (one == NULL)
                Py_CLEAR(answer);
            else
                PyList_SET_ITEM(answer, start + i, one);
        }
    }
    Py_DECREF(list);
    return answer;
}

/* load(path, status, room): whether there may be extended attributes, when the content stands at
 * the beginning of `room`; None if the file is not what its status says, or cannot be read. */
static PyObject *
stat_load(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    PyTypeObject *type = ((StatState *)PyModule_GetState(module))->status_type;
    Py_buffer room;
    if (count != 3 || !PyBytes_CheckExact(args[0]) || !Py_IS_TYPE(args[1], type)) {
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
    is_done =
        status_read_whole(AT_FDCWD, PyBytes_AS_STRING(args[0]), (const Status *)args[1], &content);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&room);
    if (!is_done)
        Py_RETURN_NONE;
    return PyBool_FromLong(content.has_xattrs);
}

static PyMethodDef stat_methods[] = {
    {"load", (PyCFunction)(void (*)(void))stat_load, METH_FASTCALL,
     "load(path, status, room): read a file; whether there may be extended attributes, or None."},
    {"look", stat_look, METH_O,
     "look(paths): for each path its Status, or the errno that lstat gave."},
    {"survey", stat_survey, METH_VARARGS,
     "survey(paths, most): for each folder its names with zeros between them, the text that "
     "stands for its entries, and the names of folders in it; None if it has more than `most` "
     "entries; the errno if it or an entry cannot be looked at."},
    {"record", stat_record, METH_O,
     "record(entries): a text that stands for entries (name, path, Status)."},
    {NULL, NULL, 0, NULL},
};

static int
stat_exec(PyObject *module)
{
    StatState *state = PyModule_GetState(module);
    state->status_type = module_add_type(module, &status_type_spec);
    if (state->status_type == NULL)
        return -1;
    state->api = (StatusApi){STATUS_VERSION, sizeof(Status), state->status_type};
    PyObject *capsule = PyCapsule_New(&state->api, STATUS_CAPSULE, NULL);
    int outcome = PyModule_AddObjectRef(module, "_C_API", capsule);
    Py_XDECREF(capsule);
    return outcome;
}

static int
stat_traverse(PyObject *module, visitproc visit, void *arg)
{
    Py_VISIT(((StatState *)PyModule_GetState(module))->status_type);
    return 0;
}

static int
stat_clear(PyObject *module)
{
    Py_CLEAR(((StatState *)PyModule_GetState(module))->status_type);
    return 0;
}

static void
stat_free(void *module)
{
    stat_clear(module);
}

static PyModuleDef_Slot stat_slots[] = {{Py_mod_exec, stat_exec}, MODULE_SLOTS};

static struct PyModuleDef stat_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "nightsafe._native.stat",
    .m_doc = "Looking at many paths.",
    .m_size = sizeof(StatState),
    .m_methods = stat_methods,
    .m_slots = stat_slots,
    .m_traverse = stat_traverse,
    .m_clear = stat_clear,
    .m_free = stat_free,
};

MODULE_INIT(stat, stat_module)
