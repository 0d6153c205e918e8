/* What small files are gathered with: memory to read to, hashing, and calls back to Python. */
#ifndef NIGHTSAFE_GATHERER_H
#define NIGHTSAFE_GATHERER_H

#include <Python.h>

#include "candidate.h"
#include "module.h"
#include "node_json.h"
#include "pack_target.h"

typedef struct {
    PyObject_HEAD
    PyObject *claim;
    Sealing sealing;
    Py_buffer room;
    Hashing hashing;
    NodeWriter nodes;
    Chances chances;
} Gatherer;

/* Takes what a gatherer works with; false with an exception set. */
static inline int
gatherer_begin(Gatherer *self, PyObject *room, PyObject *const *calls, int has_lanes)
{
    if (PyObject_GetBuffer(room, &self->room, PyBUF_WRITABLE) < 0)
        return 0;
    self->claim = Py_NewRef(calls[0]);
    self->sealing = (Sealing){.put = Py_NewRef(calls[1]),
                              .compress = Py_NewRef(calls[2]),
                              .decompress = Py_NewRef(calls[3]),
                              .refuse = Py_NewRef(calls[4])};
    self->nodes.stamp_of = Py_NewRef(calls[5]);
    self->nodes.owner_of = Py_NewRef(calls[6]);
    self->chances.next = sizeof self->chances.bytes;
    if (candidate_begin_hashing(&self->hashing, has_lanes))
        return 1;
    PyErr_SetString(PyExc_RuntimeError, "OpenSSL has no SHA-256; please report this.");
    return 0;
}

static inline int
gatherer_traverse(PyObject *object, visitproc visit, void *arg)
{
    Gatherer *self = (Gatherer *)object;
    Py_VISIT(self->room.obj);
    Py_VISIT(self->claim);
    int stop = pack_target_visit_sealing(&self->sealing, visit, arg);
    if (!stop)
        stop = node_json_traverse(&self->nodes, visit, arg);
    return stop ? stop : module_traverse_plain(object, visit, arg);
}

static inline int
gatherer_clear(PyObject *object)
{
    Gatherer *self = (Gatherer *)object;
    Py_CLEAR(self->claim);
    PyBuffer_Release(&self->room);
    pack_target_clear_sealing(&self->sealing);
    node_json_clear(&self->nodes);
    return 0;
}

static inline void
gatherer_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    gatherer_clear(object);
    candidate_end_hashing(&((Gatherer *)object)->hashing);
    module_dealloc_plain(object);
}

#endif
