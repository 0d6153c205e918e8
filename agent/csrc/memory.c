/* What the C library's allocator can be told, and Python cannot tell it.
 *
 * nightsafe.workers.buffers does without when this extension is missing.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

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

static PyMethodDef methods[] = {
    {"trim", memory_trim, METH_NOARGS,
     "trim(): give memory back that the allocator keeps for later."},
    {NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "nightsafe._native.memory",
                                    .m_doc = "The allocator.", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC
PyInit_memory(void)
{
    return PyModule_Create(&module);
}
