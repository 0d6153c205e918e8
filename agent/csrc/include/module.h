/* What each of our extensions says of itself to Python, and how it adds its types. */
#ifndef NIGHTSAFE_MODULE_H
#define NIGHTSAFE_MODULE_H

#include <Python.h>

/* What Python objects a module has are in its state, and what interpreters share is constant or
 * the C library's, so each interpreter may have a lock (GIL) of its own. Without any lock our
 * objects are not safe: they take it that only one thread at a time is in a method. */
#ifdef Py_mod_multiple_interpreters
#define MODULE_INTERPRETERS {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#else
#define MODULE_INTERPRETERS
#endif
#ifdef Py_mod_gil
#define MODULE_GIL {Py_mod_gil, Py_MOD_GIL_USED},
#else
#define MODULE_GIL
#endif

/* The end of each module's slots. */
#define MODULE_SLOTS                                                                               \
    MODULE_INTERPRETERS MODULE_GIL                                                                 \
    {                                                                                              \
        0, NULL                                                                                    \
    }

/* Declares and defines the function that Python calls to begin with. */
#define MODULE_INIT(name, definition)                                                              \
    PyMODINIT_FUNC PyInit_##name(void);                                                            \
    PyMODINIT_FUNC PyInit_##name(void)                                                             \
    {                                                                                              \
        return PyModuleDef_Init(&definition);                                                      \
    }

/* How types are that nobody derives from or changes. */
#define MODULE_TYPE_FLAGS (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE)

/* Makes a type and adds it under its name; a new reference, or NULL with an exception set. */
static inline PyTypeObject *
module_add_type(PyObject *module, PyType_Spec *spec)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    if (type != NULL && PyModule_AddType(module, type) < 0)
        Py_CLEAR(type);
    return type;
}

/* Adds a type that nothing else of the module asks for; 0, or -1 with an exception set. */
static inline int
module_only_add_type(PyObject *module, PyType_Spec *spec)
{
    PyTypeObject *type = module_add_type(module, spec);
    Py_XDECREF(type);
    return type == NULL ? -1 : 0;
}

/* tp_traverse of objects that hold no other object than their type. */
static inline int
module_traverse_plain(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    return 0;
}

/* tp_dealloc of such objects. */
static inline void
module_dealloc_plain(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    type->tp_free(self);
    Py_DECREF(type);
}

#endif
