/* Looking for a blob's mark in the table that nightsafe.known describes.
 *
 * nightsafe.known does the same in Python when this extension is missing.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

enum { MARK = 12 };

static const uint8_t EMPTY[MARK];

static uint64_t
first_slot(const uint8_t *mark, uint64_t slots)
{
    uint64_t number = 0;
    for (int i = 7; i >= 0; i--)
        number = number << 8 | mark[i];
    return number % slots;
}

static PyObject *
answer(Py_ssize_t place, int is_found, uint64_t steps)
{
    return Py_BuildValue("nOK", place, is_found ? Py_True : Py_False, (unsigned long long)steps);
}

static PyObject *
search(const uint8_t *table, Py_ssize_t start, uint64_t slots, const uint8_t *mark)
{
    uint64_t slot = first_slot(mark, slots);
    for (uint64_t steps = 0; steps < slots; steps++) {
        /* Another process may write this very place: both comparisons are of one copy. */
        uint8_t there[MARK];
        memcpy(there, table + slot * MARK, MARK);
        Py_ssize_t place = start + (Py_ssize_t)(slot * MARK);
        if (memcmp(there, mark, MARK) == 0)
            return answer(place, 1, steps);
        if (memcmp(there, EMPTY, MARK) == 0)
            return answer(place, 0, steps);
        if (++slot == slots)
            slot = 0;
    }
    return answer(start, 0, slots);
}

/* find(held, start, slots, mark): where the mark stands or would; whether it does; steps to there. */
static PyObject *
find(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    if (count != 4 || !PyBytes_CheckExact(args[3]) || PyBytes_GET_SIZE(args[3]) != MARK) {
        PyErr_SetString(PyExc_TypeError, "find takes a buffer, a start, a number and a mark.");
        return NULL;
    }
    Py_ssize_t start = PyLong_AsSsize_t(args[1]), slots = PyLong_AsSsize_t(args[2]);
    if (PyErr_Occurred())
        return NULL;
    Py_buffer held;
    if (PyObject_GetBuffer(args[0], &held, PyBUF_SIMPLE) < 0)
        return NULL;
    PyObject *found = NULL;
    if (start >= 0 && start <= held.len && slots > 0 && slots <= (held.len - start) / MARK)
        found = search((const uint8_t *)held.buf + start, start, (uint64_t)slots,
                       (const uint8_t *)PyBytes_AS_STRING(args[3]));
    else
        PyErr_SetString(PyExc_ValueError, "The table is not within the buffer.");
    PyBuffer_Release(&held);
    return found;
}

static PyMethodDef methods[] = {
    {"find", (PyCFunction)(void (*)(void))find, METH_FASTCALL,
     "find(held, start, slots, mark): place, whether the mark stands there, steps to it."},
    {NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT,
                                    .m_name = "nightsafe._known",
                                    .m_doc = "Looking for marks.",
                                    .m_size = -1,
                                    .m_methods = methods};

PyMODINIT_FUNC
PyInit__known(void)
{
    return PyModule_Create(&module);
}
