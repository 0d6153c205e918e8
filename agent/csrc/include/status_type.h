/* The Python type of a Status. */
#ifndef NIGHTSAFE_STATUS_TYPE_H
#define NIGHTSAFE_STATUS_TYPE_H

#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <structmember.h>

#include "module.h"
#include "status.h"

static PyMemberDef status_type_members[] = {
    {"st_mode", T_ULONGLONG, offsetof(Status, mode), READONLY, NULL},
    {"st_size", T_ULONGLONG, offsetof(Status, size), READONLY, NULL},
    {"st_ino", T_ULONGLONG, offsetof(Status, ino), READONLY, NULL},
    {"st_uid", T_ULONGLONG, offsetof(Status, uid), READONLY, NULL},
    {"st_gid", T_ULONGLONG, offsetof(Status, gid), READONLY, NULL},
    {"st_nlink", T_ULONGLONG, offsetof(Status, nlink), READONLY, NULL},
    {"st_dev", T_ULONGLONG, offsetof(Status, dev), READONLY, NULL},
    {"st_rdev", T_ULONGLONG, offsetof(Status, rdev), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

/* A time in nanoseconds since 1970, however far away. */
static inline PyObject *
status_type_nanoseconds(const struct timespec *time)
{
    enum { SECOND = 1000000000 };
    const long long most = INT64_MAX / SECOND - 1;
    if (time->tv_sec >= -most && time->tv_sec <= most)
        return PyLong_FromLongLong(time->tv_sec * (long long)SECOND + time->tv_nsec);
    PyObject *seconds = PyLong_FromLongLong(time->tv_sec), *unit = PyLong_FromLong(SECOND);
    PyObject *rest = PyLong_FromLong(time->tv_nsec), *whole = NULL, *sum = NULL;
    if (seconds != NULL && unit != NULL && rest != NULL)
        whole = PyNumber_Multiply(seconds, unit);
    if (whole != NULL)
        sum = PyNumber_Add(whole, rest);
    Py_XDECREF(seconds);
    Py_XDECREF(unit);
    Py_XDECREF(rest);
    Py_XDECREF(whole);
    return sum;
}

static inline PyObject *
status_type_mtime(PyObject *self, void *nothing)
{
    (void)nothing;
    return status_type_nanoseconds(&((Status *)self)->mtime);
}

static inline PyObject *
status_type_ctime(PyObject *self, void *nothing)
{
    (void)nothing;
    return status_type_nanoseconds(&((Status *)self)->ctime);
}

static PyGetSetDef status_type_times[] = {
    {"st_mtime_ns", status_type_mtime, NULL, NULL, NULL},
    {"st_ctime_ns", status_type_ctime, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* There are very many of these, and they hold nothing, so the collector does not look at them. */
static inline void
status_type_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyType_Slot status_type_slots[] = {
    {Py_tp_doc, "What lstat says of one path."},
    {Py_tp_members, status_type_members},
    {Py_tp_getset, status_type_times},
    {Py_tp_dealloc, status_type_dealloc},
    {0, NULL},
};

static PyType_Spec status_type_spec = {
    .name = "nightsafe._native.stat.Status",
    .basicsize = sizeof(Status),
    .flags = MODULE_TYPE_FLAGS | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = status_type_slots,
};

#endif
