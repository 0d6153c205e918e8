/* Small new files of one folder, many in one call: read, hashed, claimed, compressed, sealed and
 * noted, as long as nothing about them is special. nightsafe.file_saver.worker does all of it in
 * Python for what is left over here, or when this extension is missing.
 */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <string.h>

#include "candidate.h"
#include "gatherer.h"
#include "module.h"
#include "node_json.h"
#include "pack_target.h"
#include "sha256_mb.h"
#include "status.h"
#include "text.h"

enum { OVERHEAD = 32, PACKS = 2 };

typedef struct {
    PyTypeObject *status_type;
    PyObject *is_new;
    PackNames names;
} SmallFilesState;

/* One call's state. */
typedef struct {
    Gatherer *self;
    const SmallFilesState *state;
    PyObject *seen, *done;
    PackTarget targets[PACKS];
    Py_ssize_t full, most, blobs, bytes, limit;
    int folder, filled;
    size_t lead;
    Candidate batch[CANDIDATE_BATCH];
    int count;
} Run;

/* Blobs */

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
    PyObject *done = Py_BuildValue("OOK", name, run->state->is_new, status->size);
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
    if (!Py_IS_TYPE((PyObject *)status, run->state->status_type))
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
    PackTarget *target = pack_target_choose(run->targets, PACKS, &run->self->chances);
    if (target == NULL)
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
    int fd = status_open_folder(path, length);
    if (fd >= 0) {
        run->folder = fd;
        run->lead = length;
    }
}

/* gather(seen, start, packs, full, most, done): gather files from `start` on until something is
 * not for here, or a pack is full. Returns where that is, the nodes' JSON with commas between,
 * and how many blobs and bytes were new; each file is noted in `done`. */
static PyObject *
small_files_gather(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    Gatherer *self = (Gatherer *)object;
    Run run = {
        .self = self, .state = PyType_GetModuleState(Py_TYPE(object)), .limit = self->room.len - 1};
    if (count != 6 || !PyList_CheckExact(args[0]) || !PyList_CheckExact(args[2]) ||
        PyList_GET_SIZE(args[2]) != PACKS || !PyList_CheckExact(args[5])) {
        PyErr_SetString(PyExc_TypeError, "gather takes a list, a start, two packs, two bounds and "
                                         "a list.");
        return NULL;
    }
    Py_ssize_t at = PyLong_AsSsize_t(args[1]);
    if (at == -1 && PyErr_Occurred())
        return NULL;
    run.full = PyLong_AsSsize_t(args[3]);
    if (run.full == -1 && PyErr_Occurred())
        return NULL;
    run.most = PyLong_AsSsize_t(args[4]);
    if (run.most == -1 && PyErr_Occurred())
        return NULL;
    if (self->claim == NULL || at < 0) {
        PyErr_SetString(PyExc_ValueError, "There is nothing to gather.");
        return NULL;
    }
    run.seen = args[0];
    run.done = args[5];
    self->nodes.text.size = 0;
    int outcome = 1;
    for (int i = 0; outcome == 1 && i < PACKS; i++)
        if (!pack_target_take(&run.targets[i], PyList_GET_ITEM(args[2], i), &run.state->names))
            outcome = -1;
    if (outcome == 1) {
        small_files_open_folder(&run, at);
        while (outcome == 1 && !run.filled && at < PyList_GET_SIZE(run.seen))
            outcome = small_files_gather_batch(&run, &at);
        if (run.lead)
            close(run.folder);
        for (int i = 0; outcome != -1 && i < PACKS; i++)
            if (!pack_target_give_back(&run.targets[i], &run.state->names))
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

static PyObject *
small_files_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *given[] = {"room",   "claim",    "put",      "compress",  "decompress",
                            "refuse", "stamp_of", "owner_of", "has_lanes", NULL};
    PyObject *room, *calls[7];
    int has_lanes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOOOOOp:Gatherer", given, &room, &calls[0],
                                     &calls[1], &calls[2], &calls[3], &calls[4], &calls[5],
                                     &calls[6], &has_lanes))
        return NULL;
    PyObject *self = type->tp_alloc(type, 0);
    if (self != NULL && !gatherer_begin((Gatherer *)self, room, calls, has_lanes))
        Py_CLEAR(self);
    return self;
}

static PyMethodDef small_files_methods[] = {
    {"gather", (PyCFunction)(void (*)(void))small_files_gather, METH_FASTCALL,
     "gather(seen, start, packs, full, most, done): where it stopped, nodes, new blobs, bytes."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot small_files_type_slots[] = {
    {Py_tp_doc, "Stores small files. One instance per thread."},
    {Py_tp_methods, small_files_methods},
    {Py_tp_new, small_files_new},
    {Py_tp_traverse, gatherer_traverse},
    {Py_tp_clear, gatherer_clear},
    {Py_tp_dealloc, gatherer_dealloc},
    {0, NULL},
};

static PyType_Spec small_files_type = {
    .name = "nightsafe._native.small_files.Gatherer",
    .basicsize = sizeof(Gatherer),
    .flags = MODULE_TYPE_FLAGS | Py_TPFLAGS_HAVE_GC,
    .slots = small_files_type_slots,
};

static int
small_files_exec(PyObject *module)
{
    SmallFilesState *state = PyModule_GetState(module);
    state->is_new = PyUnicode_InternFromString("new");
    if (state->is_new == NULL || !pack_target_know_names(&state->names))
        return -1;
    state->status_type = status_import_type();
    return state->status_type == NULL ? -1 : module_only_add_type(module, &small_files_type);
}

/* Texts are not visited: they refer to nothing. */
static int
small_files_traverse(PyObject *module, visitproc visit, void *arg)
{
    Py_VISIT(((SmallFilesState *)PyModule_GetState(module))->status_type);
    return 0;
}

static int
small_files_clear(PyObject *module)
{
    SmallFilesState *state = PyModule_GetState(module);
    Py_CLEAR(state->status_type);
    Py_CLEAR(state->is_new);
    pack_target_forget_names(&state->names);
    return 0;
}

static void
small_files_free(void *module)
{
    small_files_clear(module);
}

static PyModuleDef_Slot small_files_slots[] = {{Py_mod_exec, small_files_exec}, MODULE_SLOTS};

static struct PyModuleDef small_files_module = {
    PyModuleDef_HEAD_INIT,        .m_name = "nightsafe._native.small_files",
    .m_doc = "Small files.",      .m_size = sizeof(SmallFilesState),
    .m_slots = small_files_slots, .m_traverse = small_files_traverse,
    .m_clear = small_files_clear, .m_free = small_files_free,
};

MODULE_INIT(small_files, small_files_module)
