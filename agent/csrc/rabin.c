/* Cuts where stock restic cuts: a Rabin fingerprint of the last 64 bytes, of degree 53.
 *
 * nightsafe.chunker.rabin says what a fingerprint is, makes the tables, and does the same without
 * this extension.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#include "module.h"

enum { SPAN = 64, TOP = 45, LANE = 4096, LANES = 4 };

typedef struct {
    PyObject_HEAD
    uint64_t fold[256], leave[256];
    uint64_t mask;
    Py_ssize_t min, max;
} Cutter;

/* Take in `byte`. Only the shift and the fold wait for the value before. */
static inline uint64_t
rabin_take(const Cutter *self, uint64_t value, uint8_t byte)
{
    return ((value & ((1ULL << TOP) - 1)) << 8) ^ self->fold[value >> TOP] ^ byte;
}

/* Take in the byte at `at` and out the one that is 64 before it. */
static inline uint64_t
rabin_step(const Cutter *self, uint64_t value, const uint8_t *at)
{
    return rabin_take(self, value, *at) ^ self->leave[at[-SPAN]];
}

/* The fingerprint of the 64 bytes before `end`. */
static uint64_t
rabin_fingerprint(const Cutter *self, const uint8_t *end)
{
    uint64_t value = 0;
    for (const uint8_t *at = end - SPAN; at < end; at++)
        value = rabin_take(self, value, *at);
    return value;
}

/* The first of the ends first..last (of which 64 bytes come before each) with a cut, or NULL. */
static const uint8_t *
rabin_search(const Cutter *self, const uint8_t *first, const uint8_t *last)
{
    uint64_t value = rabin_fingerprint(self, first);
    const uint8_t *end = first;
    while (value & self->mask) {
        if (end == last)
            return NULL;
        value = rabin_step(self, value, end++);
    }
    return end;
}

/* Whether one of the LANE * LANES ends behind `from` has a cut. A fingerprint needs no more than
 * 64 bytes, so several stretches are done side by side while each waits for its own steps. */
static int
rabin_has_cut(const Cutter *self, const uint8_t *from)
{
    uint64_t value[LANES];
    for (int lane = 0; lane < LANES; lane++)
        value[lane] = rabin_fingerprint(self, from + lane * LANE);
    for (int i = 0; i < LANE; i++) {
        int found = 0;
        for (int lane = 0; lane < LANES; lane++) {
            value[lane] = rabin_step(self, value[lane], from + lane * LANE + i);
            found |= !(value[lane] & self->mask);
        }
        if (found)
            return 1;
    }
    return 0;
}

/* The length of the first chunk of `data`, or 0 if more bytes may move its end. */
static Py_ssize_t
rabin_first_cut(const Cutter *self, const uint8_t *data, Py_ssize_t size, int at_end)
{
    Py_ssize_t whole = size < self->max ? size : self->max;
    if (size >= self->min) {
        const uint8_t *from = data + self->min, *last = data + whole, *cut = NULL;
        while (cut == NULL && last - from >= LANE * LANES) {
            if (!(rabin_fingerprint(self, from) & self->mask) || rabin_has_cut(self, from))
                cut = rabin_search(self, from, from + LANE * LANES);
            from += LANE * LANES;
        }
        if (cut == NULL)
            cut = rabin_search(self, from, last);
        if (cut != NULL)
            return cut - data;
    }
    return at_end || whole == self->max ? whole : 0;
}

static PyObject *
rabin_list_of(const Py_ssize_t *found, Py_ssize_t count)
{
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *end = PyLong_FromSsize_t(found[i]);
        if (end == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, end);
    }
    return list;
}

static PyObject *
rabin_ends(PyObject *object, PyObject *args)
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
    Py_BEGIN_ALLOW_THREADS
    while (start < window.len) {
        const uint8_t *data = (const uint8_t *)window.buf + start;
        Py_ssize_t length = rabin_first_cut(self, data, window.len - start, at_end);
        if (length == 0)
            break;
        start += length;
        found[count++] = start;
    }
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&window);
    PyObject *list = rabin_list_of(found, count);
    PyMem_Free(found);
    return list;
}

/* Entries must be below 2^53, or a step would look beyond the table. */
static int
rabin_read_table(uint64_t *target, const Py_buffer *source)
{
    if (source->len != 256 * (Py_ssize_t)sizeof *target)
        return 0;
    memcpy(target, source->buf, (size_t)source->len);
    for (int i = 0; i < 256; i++)
        if (target[i] >> (TOP + 8))
            return 0;
    return 1;
}

static PyObject *
rabin_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"fold", "leave", "min_size", "max_size", "mask", NULL};
    Py_buffer fold, leave;
    Py_ssize_t min, max;
    unsigned long long mask;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*y*nnK:Cutter", names, &fold, &leave, &min,
                                     &max, &mask))
        return NULL;
    Cutter *self = (Cutter *)type->tp_alloc(type, 0);
    if (self != NULL) {
        int is_sound = rabin_read_table(self->fold, &fold) && rabin_read_table(self->leave, &leave);
        if (!is_sound || min < SPAN || max < min) {
            PyErr_SetString(PyExc_ValueError,
                            "The tables or the sizes of a chunker make no sense.");
            Py_CLEAR(self);
        } else {
            self->min = min;
            self->max = max;
            self->mask = mask;
        }
    }
    PyBuffer_Release(&fold);
    PyBuffer_Release(&leave);
    return (PyObject *)self;
}

static PyMethodDef rabin_methods[] = {
    {"ends", rabin_ends, METH_VARARGS,
     "ends(window, at_end): where the chunks of the window end that further bytes cannot move."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot rabin_type_slots[] = {
    {Py_tp_doc, "Cuts with one polynomial, given as two tables of 256 native 64-bit numbers."},
    {Py_tp_methods, rabin_methods},
    {Py_tp_new, rabin_new},
    {Py_tp_traverse, module_traverse_plain},
    {Py_tp_dealloc, module_dealloc_plain},
    {0, NULL},
};

static PyType_Spec rabin_type = {
    .name = "nightsafe._native.rabin.Cutter",
    .basicsize = sizeof(Cutter),
    .flags = MODULE_TYPE_FLAGS | Py_TPFLAGS_HAVE_GC,
    .slots = rabin_type_slots,
};

static int
rabin_exec(PyObject *module)
{
    return module_only_add_type(module, &rabin_type);
}

static PyModuleDef_Slot rabin_slots[] = {{Py_mod_exec, rabin_exec}, MODULE_SLOTS};

static struct PyModuleDef rabin_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "nightsafe._native.rabin",
    .m_doc = "Cuts where stock restic cuts.",
    .m_size = 0,
    .m_slots = rabin_slots,
};

MODULE_INIT(rabin, rabin_module)
