/* The cuts of the chunker "gear", version 1, as docs/format.md defines them.
 *
 * nightsafe.chunker.chunker does the same with a library when this extension is missing.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#include "module.h"

typedef struct {
    PyObject_HEAD
    uint64_t table[256];
    uint64_t early_mask, late_mask;
    Py_ssize_t min, average, max;
} Cutter;

/* One stretch under one mask: the position that completes the pattern, or `end`. */
static inline Py_ssize_t
fastcdc_search(const uint64_t *table, const uint8_t *data, Py_ssize_t at, Py_ssize_t end,
               uint64_t mask, uint64_t *hash)
{
    uint64_t h = *hash;
    for (; at + 4 <= end; at += 4) {
        /* Four steps at once: each hash needs only the one four bytes before and a sum that the
         * processor can prepare meanwhile. */
        uint64_t a = table[data[at]], b = table[data[at + 1]];
        uint64_t c = table[data[at + 2]], d = table[data[at + 3]];
        uint64_t ab = (a << 1) + b, abc = (ab << 1) + c, abcd = (abc << 1) + d;
        uint64_t h1 = (h << 1) + a, h2 = (h << 2) + ab, h3 = (h << 3) + abc;
        h = (h << 4) + abcd;
        if (!(h1 & mask))
            return at;
        if (!(h2 & mask))
            return at + 1;
        if (!(h3 & mask))
            return at + 2;
        if (!(h & mask))
            return at + 3;
    }
    for (; at < end; at++) {
        h = (h << 1) + table[data[at]];
        if (!(h & mask))
            return at;
    }
    *hash = h;
    return end;
}

/* The length of the first chunk of `data`, or 0 if more bytes may move its end. */
static Py_ssize_t
fastcdc_first_cut(const Cutter *self, const uint8_t *data, Py_ssize_t size, int at_end)
{
    if (size <= self->min)
        return at_end ? size : 0;
    Py_ssize_t whole = size < self->max ? size : self->max;
    Py_ssize_t end = whole & ~(Py_ssize_t)1;
    Py_ssize_t middle = end < self->average ? end : self->average;
    uint64_t hash = 0;
    Py_ssize_t at = fastcdc_search(self->table, data, self->min, middle, self->early_mask, &hash);
    if (at == middle)
        at = fastcdc_search(self->table, data, middle, end, self->late_mask, &hash);
    if (at < end)
        return at;
    return at_end || whole == self->max ? whole : 0;
}

static PyObject *
fastcdc_ends(PyObject *object, PyObject *args)
{
    const Cutter *self = (const Cutter *)object;
    Py_buffer window;
    int at_end;
    if (!PyArg_ParseTuple(args, "y*p:ends", &window, &at_end))
        return NULL;
    Py_ssize_t limit = window.len / self->min + 1, count = 0, start = 0;
    Py_ssize_t *found = PyMem_Malloc((size_t)limit * sizeof *found);
    if (found == NULL) {
        PyBuffer_Release(&window);
        return PyErr_NoMemory();
    }
    const uint8_t *data = window.buf;
    Py_BEGIN_ALLOW_THREADS
    while (start < window.len) {
        Py_ssize_t length = fastcdc_first_cut(self, data + start, window.len - start, at_end);
        if (length == 0)
            break;
        start += length;
        found[count++] = start;
    }
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&window);
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *end = PyLong_FromSsize_t(found[i]);
        if (end == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, end);
    }
    PyMem_Free(found);
    return list;
}

static PyObject *
fastcdc_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"table",     "min_size", "average_size", "max_size", "early_mask",
                            "late_mask", NULL};
    Py_buffer table;
    Py_ssize_t min, average, max;
    unsigned long long early, late;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*nnnKK:Cutter", names, &table, &min, &average,
                                     &max, &early, &late))
        return NULL;
    Cutter *self = (Cutter *)type->tp_alloc(type, 0);
    if (self != NULL) {
        if (table.len != (Py_ssize_t)sizeof self->table || min <= 0 || min >= average ||
            average >= max || max % 2) {
            PyErr_SetString(PyExc_ValueError, "The table or the sizes of a chunker make no sense.");
            Py_CLEAR(self);
        } else {
            memcpy(self->table, table.buf, sizeof self->table);
            self->min = min;
            self->average = average;
            self->max = max;
            self->early_mask = early;
            self->late_mask = late;
        }
    }
    PyBuffer_Release(&table);
    return (PyObject *)self;
}

static PyMethodDef fastcdc_methods[] = {
    {"ends", fastcdc_ends, METH_VARARGS,
     "ends(window, at_end): where the chunks of the window end that further bytes cannot move."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot fastcdc_type_slots[] = {
    {Py_tp_doc, "Cuts with one gear table of 256 native 64-bit numbers."},
    {Py_tp_methods, fastcdc_methods},
    {Py_tp_new, fastcdc_new},
    {Py_tp_traverse, module_traverse_plain},
    {Py_tp_dealloc, module_dealloc_plain},
    {0, NULL},
};

static PyType_Spec fastcdc_type = {
    .name = "nightsafe._native.fastcdc.Cutter",
    .basicsize = sizeof(Cutter),
    .flags = MODULE_TYPE_FLAGS | Py_TPFLAGS_HAVE_GC,
    .slots = fastcdc_type_slots,
};

static int
fastcdc_exec(PyObject *module)
{
    return module_only_add_type(module, &fastcdc_type);
}

static PyModuleDef_Slot fastcdc_slots[] = {{Py_mod_exec, fastcdc_exec}, MODULE_SLOTS};

static struct PyModuleDef fastcdc_module = {
    PyModuleDef_HEAD_INIT,          .m_name = "nightsafe._native.fastcdc",
    .m_doc = "The chunker's cuts.", .m_size = 0,
    .m_slots = fastcdc_slots,
};

MODULE_INIT(fastcdc, fastcdc_module)
