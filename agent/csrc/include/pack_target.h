/* An open pack of nightsafe.packer.pack_builder.PackBuilder, while blobs are sealed into it from C. */
#ifndef NIGHTSAFE_PACK_TARGET_H
#define NIGHTSAFE_PACK_TARGET_H

#include <Python.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "sha256_mb.h"

enum { PACK_TARGET_PLAIN_ENTRY = 37, PACK_TARGET_ENTRY = 41 };

/* The names of an open pack's attributes. */
typedef struct {
    PyObject *view, *size, *count, *header;
} PackNames;

/* An open pack while files are being gathered into it. */
typedef struct {
    PyObject *pack, *view, *header;
    Py_ssize_t room, size, count, fresh;
} PackTarget;

/* How a blob is compressed (or None), sealed, opened again, and refused if it does not open. */
typedef struct {
    PyObject *put, *compress, *decompress, *refuse;
} Sealing;

/* Random bytes that say which pack is next. */
typedef struct {
    uint8_t bytes[256];
    size_t next;
} Chances;

/* Which of `count` packs is next: random, so that the storage does not see what belongs together.
 * NULL with an exception set if nothing random can be had. */
static inline PackTarget *
pack_target_choose(PackTarget *among, size_t count, Chances *by)
{
    if (by->next == sizeof by->bytes) {
        if (getrandom(by->bytes, sizeof by->bytes, 0) != sizeof by->bytes) {
            PyErr_SetFromErrno(PyExc_OSError);
            return NULL;
        }
        by->next = 0;
    }
    return &among[by->bytes[by->next++] % count];
}

static inline int
pack_target_know_names(PackNames *names)
{
    names->view = PyUnicode_InternFromString("view");
    names->size = PyUnicode_InternFromString("size");
    names->count = PyUnicode_InternFromString("count");
    names->header = PyUnicode_InternFromString("header");
    return names->view != NULL && names->size != NULL && names->count != NULL &&
           names->header != NULL;
}

static inline void
pack_target_forget_names(PackNames *names)
{
    Py_CLEAR(names->view);
    Py_CLEAR(names->size);
    Py_CLEAR(names->count);
    Py_CLEAR(names->header);
}

static inline int
pack_target_visit_sealing(const Sealing *by, visitproc visit, void *arg)
{
    Py_VISIT(by->put);
    Py_VISIT(by->compress);
    Py_VISIT(by->decompress);
    Py_VISIT(by->refuse);
    return 0;
}

static inline void
pack_target_clear_sealing(Sealing *by)
{
    Py_CLEAR(by->put);
    Py_CLEAR(by->compress);
    Py_CLEAR(by->decompress);
    Py_CLEAR(by->refuse);
}

static inline int
pack_target_note_blob(PackTarget *target, const uint8_t *id, Py_ssize_t sealed, Py_ssize_t plain)
{
    uint8_t entry[PACK_TARGET_ENTRY], *at = entry;
    *at++ = plain ? 2 : 0;
    for (int i = 0; i < 4; i++)
        *at++ = (uint8_t)(sealed >> (8 * i));
    for (int i = 0; plain && i < 4; i++)
        *at++ = (uint8_t)(plain >> (8 * i));
    memcpy(at, id, SHA256_DIGEST);
    Py_ssize_t held = PyByteArray_GET_SIZE(target->header),
               size = plain ? PACK_TARGET_ENTRY : PACK_TARGET_PLAIN_ENTRY;
    if (PyByteArray_Resize(target->header, held + size) < 0)
        return 0;
    memcpy(PyByteArray_AS_STRING(target->header) + held, entry, (size_t)size);
    return 1;
}

/* Compresses and seals `plain` behind what the pack has; returns where it ends, or -1. */
static inline Py_ssize_t
pack_target_seal(PackTarget *target, const Sealing *by, PyObject *plain, Py_ssize_t *plain_length)
{
    PyObject *packed = NULL, *text = plain, *unpack = Py_None, *end = NULL;
    *plain_length = 0;
    if (by->compress != Py_None) {
        packed = PyObject_CallOneArg(by->compress, plain);
        if (packed == NULL)
            return -1;
        if (!PyBytes_CheckExact(packed)) {
            PyErr_SetString(PyExc_TypeError, "compress must return bytes.");
            Py_DECREF(packed);
            return -1;
        }
        Py_ssize_t length = PyMemoryView_GET_BUFFER(plain)->len;
        if (PyBytes_GET_SIZE(packed) < length) {
            text = packed;
            unpack = by->decompress;
            *plain_length = length;
        }
    }
    PyObject *start = PyLong_FromSsize_t(target->size);
    if (start != NULL) {
        PyObject *args[] = {target->view, start, text, plain, unpack};
        end = PyObject_Vectorcall(by->put, args, 5, NULL);
        Py_DECREF(start);
    }
    Py_XDECREF(packed);
    if (end == Py_None) { /* it did not open again */
        Py_DECREF(end);
        end = PyObject_CallNoArgs(by->refuse);
    }
    if (end == NULL)
        return -1;
    Py_ssize_t stop = PyLong_AsSsize_t(end);
    Py_DECREF(end);
    return stop;
}

static inline Py_ssize_t
pack_target_number(PyObject *pack, PyObject *name)
{
    PyObject *value = PyObject_GetAttr(pack, name);
    if (value == NULL)
        return -1;
    Py_ssize_t number = PyLong_AsSsize_t(value);
    Py_DECREF(value);
    return number;
}

static inline int
pack_target_take(PackTarget *target, PyObject *pack, const PackNames *names)
{
    target->pack = Py_NewRef(pack); /* others may change the list while they have their turn */
    if ((target->view = PyObject_GetAttr(pack, names->view)) == NULL ||
        (target->header = PyObject_GetAttr(pack, names->header)) == NULL)
        return 0;
    target->size = pack_target_number(pack, names->size);
    if (target->size == -1 && PyErr_Occurred())
        return 0;
    target->count = pack_target_number(pack, names->count);
    if (target->count == -1 && PyErr_Occurred())
        return 0;
    if (!PyMemoryView_Check(target->view) || !PyByteArray_CheckExact(target->header) ||
        target->size < 0) {
        PyErr_SetString(PyExc_TypeError, "An open pack has a view and a header.");
        return 0;
    }
    target->room = PyMemoryView_GET_BUFFER(target->view)->len;
    return 1;
}

static inline int
pack_target_set_number(PyObject *pack, PyObject *name, Py_ssize_t number)
{
    PyObject *value = PyLong_FromSsize_t(number);
    int is_set = value != NULL && PyObject_SetAttr(pack, name, value) == 0;
    Py_XDECREF(value);
    return is_set;
}

static inline int
pack_target_give_back(PackTarget *target, const PackNames *names)
{
    return pack_target_set_number(target->pack, names->size, target->size) &&
           pack_target_set_number(target->pack, names->count, target->count);
}

static inline void
pack_target_drop(PackTarget *target)
{
    Py_CLEAR(target->pack);
    Py_CLEAR(target->view);
    Py_CLEAR(target->header);
}

#endif
