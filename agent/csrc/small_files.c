/* Small new files of one folder, many in one call: read, hashed, claimed, compressed, sealed and
 * noted, as long as nothing about them is special. nightsafe.file_saver.worker does all of it in
 * Python for what is left over here, or when this extension is missing.
 */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>
#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "candidate.h"
#include "node_json.h"
#include "pack_target.h"
#include "sha256_mb.h"
#include "status.h"
#include "text.h"

enum { OVERHEAD = 32, PACKS = 2 };

static PyTypeObject *StatusType;
static PyObject *is_new;
static PackNames names;

typedef struct {
    PyObject_HEAD
    PyObject *claim;
    Sealing sealing;
    Py_buffer room;
    Hashing hashing;
    NodeWriter nodes;
    uint8_t chances[256];
    size_t chance;
} Gatherer;

/* One call's state. */
typedef struct {
    Gatherer *self;
    PyObject *seen, *done;
    PackTarget targets[PACKS];
    Py_ssize_t full, most, blobs, bytes, limit;
    int folder, filled;
    size_t lead;
    Candidate batch[CANDIDATE_BATCH];
    int count;
} Run;

/* Blobs */

/* Which pack is next: random, so that the storage does not see what belongs together. */
static int
small_files_choose(Gatherer *self, PackTarget **chosen, PackTarget *among)
{
    if (self->chance == sizeof self->chances) {
        if (getrandom(self->chances, sizeof self->chances, 0) != sizeof self->chances) {
            PyErr_SetFromErrno(PyExc_OSError);
            return 0;
        }
        self->chance = 0;
    }
    *chosen = &among[self->chances[self->chance++] % PACKS];
    return 1;
}

/* Stores a file's content if its id is new. */
static int
small_files_store(Run *run, PackTarget *target, const Candidate *file)
{
    Gatherer *self = run->self;
    PyObject *key = PyBytes_FromStringAndSize((const char *)file->id, SHA256_DIGEST);
    if (key == NULL)
        return 0;
    PyObject *answer = PyObject_CallOneArg(self->claim, key);
    Py_DECREF(key);
    if (answer == NULL)
        return 0;
    int is_mine = answer == Py_True;
    Py_DECREF(answer);
    if (!is_mine)
        return 1;
    char *content = (char *)self->room.buf + file->start;
    PyObject *plain = PyMemoryView_FromMemory(content, file->size, PyBUF_READ);
    if (plain == NULL)
        return 0;
    Py_ssize_t plain_length, end = pack_target_seal(target, &self->sealing, plain, &plain_length);
    Py_DECREF(plain);
    if (end < 0 || !pack_target_note_blob(target, file->id, end - target->size, plain_length))
        return 0;
    target->size = end;
    target->count++;
    run->blobs++;
    run->bytes += file->size;
    run->filled |= end >= run->full || target->count >= run->most;
    return 1;
}

/* Files */

/* Reads and hashes the batch, which ends before a file that is not for here. Needs no lock. */
static int
small_files_read_batch(Run *run)
{
    for (int i = 0; i < run->count; i++) {
        Candidate *file = &run->batch[i];
        Content content = {.data = (char *)run->self->room.buf + file->start, .size = file->size};
        if (!status_read_whole(run->folder, file->path + run->lead, file->status, &content) ||
            content.has_xattrs)
            run->count = i;
    }
    return candidate_hash_all(run->batch, run->count, &run->self->hashing, run->self->room.buf);
}

static int
small_files_note_done(Run *run, PyObject *name, const Status *status)
{
    PyObject *done = Py_BuildValue("OOK", name, is_new, status->size);
    int is_noted = done != NULL && PyList_Append(run->done, done) == 0;
    Py_XDECREF(done);
    return is_noted;
}

/* Whether an entry is a small file as far as its status tells; if so it is the next candidate. */
static int
small_files_take_candidate(Run *run, PyObject *entry, Py_ssize_t start)
{
    PyObject *name = PyTuple_GET_ITEM(entry, 0), *path = PyTuple_GET_ITEM(entry, 1);
    const Status *status = (const Status *)PyTuple_GET_ITEM(entry, 2);
    if (!Py_IS_TYPE((PyObject *)status, StatusType))
        return 0; /* somebody else has looked */
    /* All are names in one folder; of any other path nothing is known here. */
    if (run->lead && PyBytes_GET_SIZE(path) - PyBytes_GET_SIZE(name) != (Py_ssize_t)run->lead)
        return 0;
    if (!S_ISREG(status->mode) || status->size > (unsigned long long)run->limit ||
        !node_json_is_plain(name))
        return 0;
    Py_ssize_t size = (Py_ssize_t)status->size;
    if (start && start + size > CANDIDATE_BYTES)
        return 0;
    Py_INCREF(entry); /* others may change the list while they have their turn */
    run->batch[run->count++] = (Candidate){.entry = entry,
                                           .name = name,
                                           .path = PyBytes_AS_STRING(path),
                                           .status = status,
                                           .start = start,
                                           .size = size};
    return 1;
}

/* The files that may be gathered from `index` on; 0 if what is there is not an entry. */
static int
small_files_choose_batch(Run *run, Py_ssize_t index)
{
    Py_ssize_t start = 0;
    run->count = 0;
    for (; run->count < CANDIDATE_BATCH && index < PyList_GET_SIZE(run->seen); index++) {
        PyObject *entry = PyList_GET_ITEM(run->seen, index);
        if (!PyTuple_CheckExact(entry) || PyTuple_GET_SIZE(entry) != 3 ||
            !PyBytes_CheckExact(PyTuple_GET_ITEM(entry, 0)) ||
            !PyBytes_CheckExact(PyTuple_GET_ITEM(entry, 1))) {
            PyErr_SetString(PyExc_TypeError, "An entry is a name, a path and a Status.");
            return 0;
        }
        if (!small_files_take_candidate(run, entry, start))
            break;
        start += run->batch[run->count - 1].size;
    }
    return 1;
}

/* 1: the file is stored. 0: it is not for here. -1: an error. */
static int
small_files_store_file(Run *run, const Candidate *file)
{
    PackTarget *target;
    if (!small_files_choose(run->self, &target, run->targets))
        return -1;
    if (target->size + file->size + OVERHEAD > target->room)
        return 0;
    if (file->size && !small_files_store(run, target, file))
        return -1;
    return node_json_add(&run->self->nodes, file->name, file->status,
                         file->size ? file->id : NULL) &&
                   small_files_note_done(run, file->name, file->status)
               ? 1
               : -1;
}

/* Gathers some files from `*at` on. 1: go on. 0: the next is not for here. -1: an error. */
static int
small_files_gather_batch(Run *run, Py_ssize_t *at)
{
    int is_hashed, outcome = 1, stored = 0;
    if (!small_files_choose_batch(run, *at))
        outcome = -1;
    const int chosen = run->count;
    if (outcome == 1) {
        Py_BEGIN_ALLOW_THREADS
        is_hashed = small_files_read_batch(run);
        Py_END_ALLOW_THREADS
        if (!is_hashed) {
            PyErr_SetString(PyExc_RuntimeError,
                            "OpenSSL failed while hashing; please report this.");
            outcome = -1;
        }
    }
    while (outcome == 1 && stored < run->count && !run->filled) {
        outcome = small_files_store_file(run, &run->batch[stored]);
        stored += outcome == 1;
    }
    if (outcome == 1 && stored == run->count && (run->count < chosen || chosen == 0))
        outcome = 0;
    for (int i = 0; i < chosen; i++)
        Py_DECREF(run->batch[i].entry);
    *at += stored;
    return outcome;
}

/* Opens the folder that the entry is in, so that it is looked up once for all. */
static void
small_files_open_folder(Run *run, Py_ssize_t index)
{
    char folder[PATH_MAX];
    run->folder = AT_FDCWD;
    run->lead = 0;
    if (index >= PyList_GET_SIZE(run->seen))
        return;
    PyObject *entry = PyList_GET_ITEM(run->seen, index);
    if (!PyTuple_CheckExact(entry) || PyTuple_GET_SIZE(entry) != 3 ||
        !PyBytes_CheckExact(PyTuple_GET_ITEM(entry, 1)))
        return;
    const char *path = PyBytes_AS_STRING(PyTuple_GET_ITEM(entry, 1));
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    if (length < 2 || length >= sizeof folder)
        return;
    memcpy(folder, path, length);
    folder[length] = 0;
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        run->folder = fd;
        run->lead = length;
    }
}

/* gather(seen, start, packs, full, most, done): gather files from `start` on until something is
 * not for here, or a pack is full. Returns where that is, the nodes' JSON with commas between,
 * and how many blobs and bytes were new; each file is noted in `done`. */
static PyObject *
small_files_gather(Gatherer *self, PyObject *const *args, Py_ssize_t count)
{
    Run run = {.self = self, .limit = self->room.len - 1};
    if (count != 6 || !PyList_CheckExact(args[0]) || !PyList_CheckExact(args[2]) ||
        PyList_GET_SIZE(args[2]) != PACKS || !PyList_CheckExact(args[5])) {
        PyErr_SetString(PyExc_TypeError, "gather takes a list, a start, two packs, two bounds and "
                                         "a list.");
        return NULL;
    }
    Py_ssize_t at = PyLong_AsSsize_t(args[1]);
    run.full = PyLong_AsSsize_t(args[3]);
    run.most = PyLong_AsSsize_t(args[4]);
    if (PyErr_Occurred())
        return NULL;
    if (self->hashing.context == NULL || at < 0) {
        PyErr_SetString(PyExc_ValueError, "There is nothing to gather.");
        return NULL;
    }
    run.seen = args[0];
    run.done = args[5];
    self->nodes.text.size = 0;
    int outcome = 1;
    for (int i = 0; i < PACKS; i++)
        if (!pack_target_take(&run.targets[i], PyList_GET_ITEM(args[2], i), &names))
            outcome = -1;
    if (outcome == 1) {
        small_files_open_folder(&run, at);
        while (outcome == 1 && !run.filled && at < PyList_GET_SIZE(run.seen))
            outcome = small_files_gather_batch(&run, &at);
        if (run.lead)
            close(run.folder);
        for (int i = 0; outcome != -1 && i < PACKS; i++)
            if (!pack_target_give_back(&run.targets[i], &names))
                outcome = -1;
    }
    for (int i = 0; i < PACKS; i++)
        pack_target_drop(&run.targets[i]);
    if (outcome == -1)
        return NULL;
    const Text *text = &self->nodes.text;
    return Py_BuildValue("ny#nn", at, text->text == NULL ? "" : text->text, (Py_ssize_t)text->size,
                         run.blobs, run.bytes);
}

static int
small_files_init(Gatherer *self, PyObject *args, PyObject *kwargs)
{
    static char *given[] = {"room",   "claim",    "put",      "compress",  "decompress",
                            "refuse", "stamp_of", "owner_of", "has_lanes", NULL};
    PyObject *room, *calls[7];
    int has_lanes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOOOOOp:Gatherer", given, &room, &calls[0],
                                     &calls[1], &calls[2], &calls[3], &calls[4], &calls[5],
                                     &calls[6], &has_lanes))
        return -1;
    if (self->hashing.context != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "A gatherer is made once.");
        return -1;
    }
    if (PyObject_GetBuffer(room, &self->room, PyBUF_WRITABLE) < 0)
        return -1;
    Sealing *sealing = &self->sealing;
    PyObject **targets[] = {&self->claim,         &sealing->put,    &sealing->compress,
                            &sealing->decompress, &sealing->refuse, &self->nodes.stamp_of,
                            &self->nodes.owner_of};
    for (int i = 0; i < 7; i++) {
        Py_INCREF(calls[i]);
        Py_XSETREF(*targets[i], calls[i]);
    }
    self->chance = sizeof self->chances;
    self->hashing.has_lanes = has_lanes && sha256_mb_is_supported();
    self->hashing.kind = EVP_MD_fetch(NULL, "SHA256", NULL);
    self->hashing.context = self->hashing.kind == NULL ? NULL : EVP_MD_CTX_new();
    if (self->hashing.context != NULL)
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "OpenSSL has no SHA-256; please report this.");
    return -1;
}

static void
small_files_dealloc(Gatherer *self)
{
    PyBuffer_Release(&self->room);
    EVP_MD_CTX_free(self->hashing.context);
    EVP_MD_free(self->hashing.kind);
    node_json_clear(&self->nodes);
    Py_XDECREF(self->claim);
    Py_XDECREF(self->sealing.put);
    Py_XDECREF(self->sealing.compress);
    Py_XDECREF(self->sealing.decompress);
    Py_XDECREF(self->sealing.refuse);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef gatherer_methods[] = {
    {"gather", (PyCFunction)(void (*)(void))small_files_gather, METH_FASTCALL,
     "gather(seen, start, packs, full, most, done): where it stopped, nodes, new blobs, bytes."},
    {NULL},
};

static PyTypeObject GathererType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "nightsafe._native.small_files.Gatherer",
    .tp_basicsize = sizeof(Gatherer),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "Stores small files. One instance per thread.",
    .tp_methods = gatherer_methods,
    .tp_init = (initproc)small_files_init,
    .tp_dealloc = (destructor)small_files_dealloc,
    .tp_new = PyType_GenericNew,
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT,
                                    .m_name = "nightsafe._native.small_files",
                                    .m_doc = "Small files.", .m_size = -1};

static int
small_files_find_status(void)
{
    PyObject *look = PyImport_ImportModule("nightsafe._native.stat");
    if (look == NULL)
        return 0;
    StatusType = (PyTypeObject *)PyObject_GetAttrString(look, "Status");
    Py_DECREF(look);
    if (StatusType == NULL)
        return 0;
    if (PyType_Check(StatusType) && StatusType->tp_basicsize == sizeof(Status))
        return 1;
    PyErr_SetString(PyExc_ImportError, "nightsafe._native.stat is of another version.");
    return 0;
}

PyMODINIT_FUNC
PyInit_small_files(void)
{
    is_new = PyUnicode_InternFromString("new");
    names.view = PyUnicode_InternFromString("view");
    names.size = PyUnicode_InternFromString("size");
    names.count = PyUnicode_InternFromString("count");
    names.header = PyUnicode_InternFromString("header");
    if (!is_new || !names.view || !names.size || !names.count || !names.header ||
        !small_files_find_status() || PyType_Ready(&GathererType) < 0)
        return NULL;
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && PyModule_AddObjectRef(made, "Gatherer", (PyObject *)&GathererType) < 0)
        Py_CLEAR(made);
    return made;
}
