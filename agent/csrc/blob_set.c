/* The tables of known blobs, as nightsafe.file_saver.blob_set describes them.
 *
 * nightsafe.file_saver.blob_set does the same in Python when this extension is missing.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdint.h>
#include <string.h>

#include "module.h"

enum { MARK = 12, ID = 32, KEY = 32, LONG_SEARCH = 256, MOST_LEVELS = 32 };

static const uint8_t EMPTY[MARK];

typedef struct {
    PyObject_HEAD
    Py_buffer held;
    EVP_MAC_CTX *mac;
    Py_ssize_t starts[MOST_LEVELS];
    uint64_t slots[MOST_LEVELS];
    int levels;
} Table;

/* Where a mark stands, or would. */
typedef struct {
    uint8_t *place;
    int is_found;
    uint64_t steps;
} Spot;

static uint64_t
blob_set_number_at(const uint8_t *bytes)
{
    uint64_t number = 0;
    for (int i = 7; i >= 0; i--)
        number = number << 8 | bytes[i];
    return number;
}

static void
blob_set_put_number(uint8_t *bytes, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> (8 * i));
}

static Spot
blob_set_search(const Table *self, int level, const uint8_t *mark)
{
    uint8_t *table = (uint8_t *)self->held.buf + self->starts[level];
    uint64_t slots = self->slots[level], slot = blob_set_number_at(mark) % slots;
    for (uint64_t steps = 0; steps < slots; steps++) {
        /* Another process may write this very place: both comparisons are of one copy. */
        uint8_t there[MARK], *place = table + slot * MARK;
        memcpy(there, place, MARK);
        if (memcmp(there, mark, MARK) == 0)
            return (Spot){place, 1, steps};
        if (memcmp(there, EMPTY, MARK) == 0)
            return (Spot){place, 0, steps};
        if (++slot == slots)
            slot = 0;
    }
    return (Spot){table, 0, slots};
}

/* The level that takes new ids: the first that is not full. Levels never become free. */
static int
blob_set_newest(const Table *self)
{
    const uint8_t *counts = self->held.buf;
    for (int level = 0; level < self->levels - 1; level++)
        if (blob_set_number_at(counts + 8 * level) * 5 < self->slots[level] * 4)
            return level;
    return self->levels - 1;
}

static int
blob_set_mark_of(Table *self, PyObject *id, uint8_t *mark)
{
    size_t length = 0;
    if (self->levels == 0) {
        PyErr_SetString(PyExc_ValueError, "The table was released.");
        return 0;
    }
    if (!PyBytes_CheckExact(id) || PyBytes_GET_SIZE(id) != ID) {
        PyErr_SetString(PyExc_TypeError, "An id is 32 bytes.");
        return 0;
    }
    if (EVP_MAC_init(self->mac, NULL, 0, NULL) &&
        EVP_MAC_update(self->mac, (const uint8_t *)PyBytes_AS_STRING(id), ID) &&
        EVP_MAC_final(self->mac, mark, &length, MARK) && length == MARK)
        return 1;
    PyErr_SetString(PyExc_RuntimeError, "OpenSSL failed while hashing; please report this.");
    return 0;
}

static PyObject *
blob_set_contains(PyObject *object, PyObject *id)
{
    Table *self = (Table *)object;
    uint8_t mark[MARK];
    if (!blob_set_mark_of(self, id, mark))
        return NULL;
    for (int level = blob_set_newest(self); level >= 0; level--)
        if (blob_set_search(self, level, mark).is_found)
            Py_RETURN_TRUE;
    Py_RETURN_FALSE;
}

static PyObject *
blob_set_claim(PyObject *object, PyObject *id)
{
    Table *self = (Table *)object;
    uint8_t mark[MARK];
    if (!blob_set_mark_of(self, id, mark))
        return NULL;
    int level = blob_set_newest(self);
    for (int older = level - 1; older >= 0; older--)
        if (blob_set_search(self, older, mark).is_found)
            Py_RETURN_FALSE;
    Spot spot = blob_set_search(self, level, mark);
    if (spot.is_found)
        Py_RETURN_FALSE;
    memcpy(spot.place, mark, MARK);
    /* Counts that race may come out low; a long search shows that a level is full all the same. */
    uint8_t *count = (uint8_t *)self->held.buf + 8 * level;
    blob_set_put_number(count, spot.steps > LONG_SEARCH ? self->slots[level]
                                                        : blob_set_number_at(count) + 1);
    Py_RETURN_TRUE;
}

static EVP_MAC_CTX *
blob_set_new_mac(const char *key)
{
    size_t size = MARK;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *kind = EVP_MAC_fetch(NULL, "BLAKE2BMAC", NULL);
    EVP_MAC_CTX *made = kind == NULL ? NULL : EVP_MAC_CTX_new(kind);
    EVP_MAC_free(kind);
    if (made != NULL && EVP_MAC_init(made, (const uint8_t *)key, KEY, params))
        return made;
    EVP_MAC_CTX_free(made);
    PyErr_SetString(PyExc_RuntimeError, "OpenSSL has no BLAKE2; please report this.");
    return NULL;
}

/* Where the levels begin; false if they are not all within the memory. */
static int
blob_set_lay_out(Table *self, Py_ssize_t start, int first_bits, int levels)
{
    if (levels < 1 || levels > MOST_LEVELS || first_bits < 0 || first_bits > 30 ||
        start < 8 * levels)
        return 0;
    self->levels = levels;
    for (int level = 0; level < levels; level++) {
        self->starts[level] = start;
        self->slots[level] = 1ULL << (first_bits + level);
        if (start > self->held.len ||
            self->slots[level] > (uint64_t)(self->held.len - start) / MARK)
            return 0;
        start += (Py_ssize_t)self->slots[level] * MARK;
    }
    return 1;
}

static int
blob_set_open(Table *self, PyObject *held, const char *key, Py_ssize_t start, int first_bits,
              int levels)
{
    if (PyObject_GetBuffer(held, &self->held, PyBUF_WRITABLE) < 0)
        return 0;
    if (!blob_set_lay_out(self, start, first_bits, levels)) {
        PyErr_SetString(PyExc_ValueError, "The table is not within the memory.");
        return 0;
    }
    self->mac = blob_set_new_mac(key);
    return self->mac != NULL;
}

static PyObject *
blob_set_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"held", "key", "start", "first_bits", "levels", NULL};
    PyObject *held;
    const char *key;
    Py_ssize_t length, start;
    int first_bits, levels;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Oy#nii:Table", names, &held, &key, &length,
                                     &start, &first_bits, &levels))
        return NULL;
    if (length != KEY) {
        PyErr_SetString(PyExc_ValueError, "A table is made once, with a key of 32 bytes.");
        return NULL;
    }
    PyObject *self = type->tp_alloc(type, 0);
    if (self != NULL && !blob_set_open((Table *)self, held, key, start, first_bits, levels))
        Py_CLEAR(self);
    return self;
}

static int
blob_set_clear(PyObject *object)
{
    Table *self = (Table *)object;
    self->levels = 0;
    PyBuffer_Release(&self->held);
    EVP_MAC_CTX_free(self->mac);
    self->mac = NULL;
    return 0;
}

static PyObject *
blob_set_release(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    blob_set_clear(self);
    Py_RETURN_NONE;
}

static int
blob_set_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((Table *)self)->held.obj);
    return module_traverse_plain(self, visit, arg);
}

static void
blob_set_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    blob_set_clear(self);
    module_dealloc_plain(self);
}

static PyMethodDef blob_set_methods[] = {
    {"claim", blob_set_claim, METH_O, "claim(id): add an id; whether it was not there."},
    {"contains", blob_set_contains, METH_O, "contains(id): whether it is there."},
    {"release", blob_set_release, METH_NOARGS, "release(): let the memory go."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot blob_set_type_slots[] = {
    {Py_tp_doc, "Table(held, key, start, first_bits, levels): marks of ids in shared memory."},
    {Py_tp_methods, blob_set_methods},
    {Py_tp_new, blob_set_new},
    {Py_tp_traverse, blob_set_traverse},
    {Py_tp_clear, blob_set_clear},
    {Py_tp_dealloc, blob_set_dealloc},
    {0, NULL},
};

static PyType_Spec blob_set_type = {
    .name = "nightsafe._native.blob_set.Table",
    .basicsize = sizeof(Table),
    .flags = MODULE_TYPE_FLAGS | Py_TPFLAGS_HAVE_GC,
    .slots = blob_set_type_slots,
};

static int
blob_set_exec(PyObject *module)
{
    return module_only_add_type(module, &blob_set_type);
}

static PyModuleDef_Slot blob_set_slots[] = {{Py_mod_exec, blob_set_exec}, MODULE_SLOTS};

static struct PyModuleDef blob_set_module = {
    PyModuleDef_HEAD_INIT,     .m_name = "nightsafe._native.blob_set",
    .m_doc = "Known blobs.",   .m_size = 0,
    .m_slots = blob_set_slots,
};

MODULE_INIT(blob_set, blob_set_module)
