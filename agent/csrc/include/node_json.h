/* The JSON of a plain file's node, byte for byte as nightsafe.file_saver.node_json makes it. */
#ifndef NIGHTSAFE_NODE_JSON_H
#define NIGHTSAFE_NODE_JSON_H

#include <Python.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "sha256_mb.h"
#include "status.h"
#include "text.h"

enum { NODE_JSON_STAMPS = 64 };

/* A second, and how it stands in a node: before the fraction, and after it. */
typedef struct {
    long long second;
    int is_set;
    char stamp[40], zone[16];
} Stamp;

/* What Python knows of times and owners is asked once for each and remembered. */
typedef struct {
    Text text;
    PyObject *stamp_of, *owner_of;
    Stamp stamps[NODE_JSON_STAMPS];
    unsigned long long mode, uid, gid;
    PyObject *owner; /* (text of the mode, text of the owner) for the three above, or NULL */
} NodeWriter;

static inline int
node_json_copy_text(PyObject *pair, Py_ssize_t index, char *to, size_t room)
{
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(pair, index), &size);
    if (text == NULL)
        return 0;
    if ((size_t)size >= room) {
        PyErr_SetString(PyExc_ValueError, "A time is too long.");
        return 0;
    }
    memcpy(to, text, (size_t)size + 1);
    return 1;
}

static inline int
node_json_is_pair(PyObject *value)
{
    if (PyTuple_CheckExact(value) && PyTuple_GET_SIZE(value) == 2 &&
        PyUnicode_CheckExact(PyTuple_GET_ITEM(value, 0)) &&
        PyUnicode_CheckExact(PyTuple_GET_ITEM(value, 1)))
        return 1;
    PyErr_SetString(PyExc_TypeError, "Two texts are wanted.");
    return 0;
}

static inline const Stamp *
node_json_stamp(NodeWriter *self, long long second)
{
    Stamp *stamp = &self->stamps[(unsigned long long)second % NODE_JSON_STAMPS];
    if (stamp->is_set && stamp->second == second)
        return stamp;
    stamp->is_set = 0;
    PyObject *pair = PyObject_CallFunction(self->stamp_of, "L", second);
    if (pair == NULL)
        return NULL;
    if (node_json_is_pair(pair) &&
        node_json_copy_text(pair, 0, stamp->stamp, sizeof stamp->stamp) &&
        node_json_copy_text(pair, 1, stamp->zone, sizeof stamp->zone)) {
        stamp->second = second;
        stamp->is_set = 1;
    }
    Py_DECREF(pair);
    return stamp->is_set ? stamp : NULL;
}

static inline int
node_json_add_time(NodeWriter *self, const struct timespec *time)
{
    const Stamp *stamp = node_json_stamp(self, time->tv_sec);
    if (stamp == NULL)
        return 0;
    text_add(&self->text, stamp->stamp, strlen(stamp->stamp));
    text_add_fraction(&self->text, time->tv_nsec);
    text_add(&self->text, stamp->zone, strlen(stamp->zone));
    return 1;
}

static inline int
node_json_know_owner(NodeWriter *self, const Status *status)
{
    if (self->owner != NULL && self->mode == status->mode && self->uid == status->uid &&
        self->gid == status->gid)
        return 1;
    Py_CLEAR(self->owner);
    PyObject *pair =
        PyObject_CallFunction(self->owner_of, "KKK", status->mode, status->uid, status->gid);
    if (pair == NULL || !node_json_is_pair(pair)) {
        Py_XDECREF(pair);
        return 0;
    }
    self->owner = pair;
    self->mode = status->mode;
    self->uid = status->uid;
    self->gid = status->gid;
    return 1;
}

/* Names that neither Go's quoting nor JSON changes. */
static inline int
node_json_is_plain(PyObject *name)
{
    const unsigned char *text = (const unsigned char *)PyBytes_AS_STRING(name);
    for (Py_ssize_t i = 0; i < PyBytes_GET_SIZE(name); i++)
        if (text[i] < ' ' || text[i] > '~' || strchr("\"&<>\\", text[i]) != NULL)
            return 0;
    return 1;
}

static inline void
node_json_add_field(Text *to, const char *name, unsigned long long number)
{
    if (number) {
        text_add(to, name, strlen(name));
        text_add_number(to, number);
    }
}

/* `id` is NULL for an empty file. */
static inline int
node_json_add(NodeWriter *self, PyObject *name, const Status *status, const uint8_t *id)
{
    Text *to = &self->text;
    Py_ssize_t mode_size, owner_size;
    if (!node_json_know_owner(self, status))
        return 0;
    const char *mode = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(self->owner, 0), &mode_size);
    const char *owner = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(self->owner, 1), &owner_size);
    if (mode == NULL || owner == NULL ||
        !text_need(to, 700 + (size_t)(PyBytes_GET_SIZE(name) + mode_size + owner_size)))
        return 0;
    if (to->size)
        TEXT_ADD(to, ",");
    TEXT_ADD(to, "{\"name\":\"");
    text_add(to, PyBytes_AS_STRING(name), (size_t)PyBytes_GET_SIZE(name));
    TEXT_ADD(to, "\",\"type\":\"file\"");
    text_add(to, mode, (size_t)mode_size);
    TEXT_ADD(to, ",\"mtime\":\"");
    size_t start = to->size;
    if (!node_json_add_time(self, &status->mtime))
        return 0;
    size_t length = to->size - start;
    TEXT_ADD(to, "\",\"atime\":\"");
    text_add(to, to->text + start, length);
    TEXT_ADD(to, "\",\"ctime\":\"");
    if (!node_json_add_time(self, &status->ctime))
        return 0;
    TEXT_ADD(to, "\"");
    text_add(to, owner, (size_t)owner_size);
    node_json_add_field(to, ",\"inode\":", status->ino);
    node_json_add_field(to, ",\"device_id\":", status->dev);
    node_json_add_field(to, ",\"size\":", status->size);
    node_json_add_field(to, ",\"links\":", status->nlink);
    TEXT_ADD(to, ",\"content\":[");
    if (id != NULL) {
        TEXT_ADD(to, "\"");
        text_add_hex(to, id, SHA256_DIGEST);
        TEXT_ADD(to, "\"");
    }
    TEXT_ADD(to, "]}");
    return 1;
}

static inline int
node_json_traverse(const NodeWriter *self, visitproc visit, void *arg)
{
    Py_VISIT(self->stamp_of);
    Py_VISIT(self->owner_of);
    Py_VISIT(self->owner);
    return 0;
}

static inline void
node_json_clear(NodeWriter *self)
{
    PyMem_RawFree(self->text.text);
    self->text = (Text){0};
    Py_CLEAR(self->stamp_of);
    Py_CLEAR(self->owner_of);
    Py_CLEAR(self->owner);
}

#endif
