/* What the C library's allocator can be told, and Python cannot tell it.
 *
 * nightsafe.workers.buffers does without when this extension is missing.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "module.h"

/* trim(): gives memory back that the allocator keeps for later. */
static PyObject *
memory_trim(PyObject *module, PyObject *nothing)
{
    (void)module;
    (void)nothing;
#ifdef __GLIBC__
    malloc_trim(1 << 20);
#endif
    Py_RETURN_NONE;
}

static PyMethodDef memory_methods[] = {
    {"trim", memory_trim, METH_NOARGS,
     "trim(): give memory back that the allocator keeps for later."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot memory_slots[] = {MODULE_SLOTS};

static struct PyModuleDef memory_module = {
    PyModuleDef_HEAD_INIT, .m_name = "nightsafe._native.memory", .m_doc = "The allocator.",
    .m_size = 0,           .m_methods = memory_methods,          .m_slots = memory_slots,
};

MODULE_INIT(memory, memory_module)
