/* Sealing and opening as nightsafe.crypto.sealer defines it, on OpenSSL's libcrypto, with less ado
 * for each small text: AES-256 in counter mode, Poly1305-AES over the ciphertext.
 *
 * nightsafe.crypto.sealer does the same in Python when this extension is missing.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <string.h>

#include "aead.h"
#include "module.h"

enum { LONG = 16384 };

typedef struct {
    PyObject *damaged_error; /* nightsafe.errors.DamagedError */
} SealState;

typedef struct {
    PyObject_HEAD
    Aead aead;
    uint8_t *scratch;
    size_t scratch_size;
} Sealer;

static PyObject *
seal_trouble(void)
{
    PyErr_SetString(PyExc_RuntimeError, "OpenSSL failed while sealing; please report this.");
    return NULL;
}

static int
seal_need_scratch(Sealer *self, size_t size)
{
    if (size <= self->scratch_size)
        return 1;
    size_t room = size < (1 << 20) ? (1 << 20) : size + size / 2;
    uint8_t *memory = PyMem_RawMalloc(room);
    if (memory == NULL) {
        PyErr_NoMemory();
        return 0;
    }
    PyMem_RawFree(self->scratch);
    self->scratch = memory;
    self->scratch_size = room;
    return 1;
}

static PyObject *
seal_damaged(Sealer *self, size_t size)
{
    SealState *state = PyType_GetModuleState(Py_TYPE(self));
    PyErr_SetString(state->damaged_error,
                    size < AEAD_OVERHEAD
                        ? "A sealed text is too short to be one; it is damaged."
                        : "A sealed text fails its MAC: it was changed after it was written.");
    return NULL;
}

/* Like aead_open; large texts let other threads run. */
static int
seal_open_at(Sealer *self, uint8_t *plain, const uint8_t *sealed, size_t size)
{
    int outcome;
    if (size < LONG)
        return aead_open(&self->aead, plain, sealed, size);
    Py_BEGIN_ALLOW_THREADS
    outcome = aead_open(&self->aead, plain, sealed, size);
    Py_END_ALLOW_THREADS
    return outcome;
}

/* The same into the scratch memory; -2 with an exception set if there is too little. */
static int
seal_open_to_scratch(Sealer *self, const uint8_t *sealed, size_t size)
{
    return seal_need_scratch(self, size + 1) ? seal_open_at(self, self->scratch, sealed, size) : -2;
}

static int
seal_is_too_long(size_t size)
{
    if (size <= INT32_MAX - AEAD_OVERHEAD)
        return 0;
    PyErr_SetString(PyExc_OverflowError, "A text of 2 GiB or more cannot be sealed or opened.");
    return 1;
}

static PyObject *
seal_open(PyObject *object, PyObject *argument)
{
    Sealer *self = (Sealer *)object;
    Py_buffer sealed;
    PyObject *plain = NULL;
    if (PyObject_GetBuffer(argument, &sealed, PyBUF_SIMPLE) < 0)
        return NULL;
    size_t size = (size_t)sealed.len;
    if (size < AEAD_OVERHEAD)
        seal_damaged(self, size);
    else if (!seal_is_too_long(size))
        plain = PyBytes_FromStringAndSize(NULL, sealed.len - AEAD_OVERHEAD);
    if (plain != NULL) {
        uint8_t *target = (uint8_t *)PyBytes_AS_STRING(plain);
        int outcome = seal_open_at(self, target, sealed.buf, size);
        if (outcome != 1) {
            Py_CLEAR(plain);
            outcome < 0 ? seal_trouble() : seal_damaged(self, size);
        }
    }
    PyBuffer_Release(&sealed);
    return plain;
}

/* The opened text as a view of the scratch memory, which the next call overwrites. */
static PyObject *
seal_peek(PyObject *object, PyObject *argument)
{
    Sealer *self = (Sealer *)object;
    Py_buffer sealed;
    PyObject *view = NULL;
    if (PyObject_GetBuffer(argument, &sealed, PyBUF_SIMPLE) < 0)
        return NULL;
    if (!seal_is_too_long((size_t)sealed.len)) {
        int outcome = seal_open_to_scratch(self, sealed.buf, (size_t)sealed.len);
        if (outcome == 1)
            view = PyMemoryView_FromMemory((char *)self->scratch, sealed.len - AEAD_OVERHEAD,
                                           PyBUF_READ);
        else if (outcome == 0)
            seal_damaged(self, (size_t)sealed.len);
        else if (outcome == -1)
            seal_trouble();
    }
    PyBuffer_Release(&sealed);
    return view;
}

static PyObject *
seal_seal(PyObject *object, PyObject *argument)
{
    Sealer *self = (Sealer *)object;
    Py_buffer plain;
    PyObject *sealed = NULL;
    if (PyObject_GetBuffer(argument, &plain, PyBUF_SIMPLE) < 0)
        return NULL;
    if (!seal_is_too_long((size_t)plain.len))
        sealed = PyBytes_FromStringAndSize(NULL, plain.len + AEAD_OVERHEAD);
    if (sealed != NULL && !aead_seal(&self->aead, (uint8_t *)PyBytes_AS_STRING(sealed), plain.buf,
                                     (size_t)plain.len)) {
        Py_CLEAR(sealed);
        seal_trouble();
    }
    PyBuffer_Release(&plain);
    return sealed;
}

/* Whether target[start:] has room for a sealed text of this size. */
static int
seal_has_room(const Py_buffer *target, Py_ssize_t start, Py_ssize_t size)
{
    if (!seal_is_too_long((size_t)size) && start >= 0 && start <= target->len &&
        size <= target->len - start - AEAD_OVERHEAD)
        return 1;
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "There is no room here for the sealed text.");
    return 0;
}

static PyObject *
seal_into(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    Sealer *self = (Sealer *)object;
    Py_buffer target, plain;
    PyObject *end = NULL;
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "seal_into takes a target, a start and a text.");
        return NULL;
    }
    Py_ssize_t start = PyLong_AsSsize_t(args[1]);
    if (start == -1 && PyErr_Occurred())
        return NULL;
    if (PyObject_GetBuffer(args[0], &target, PyBUF_WRITABLE) < 0)
        return NULL;
    if (PyObject_GetBuffer(args[2], &plain, PyBUF_SIMPLE) == 0) {
        if (seal_has_room(&target, start, plain.len)) {
            int is_done;
            uint8_t *place = (uint8_t *)target.buf + start;
            if (plain.len < LONG) {
                is_done = aead_seal(&self->aead, place, plain.buf, (size_t)plain.len);
            } else {
                Py_BEGIN_ALLOW_THREADS
                is_done = aead_seal(&self->aead, place, plain.buf, (size_t)plain.len);
                Py_END_ALLOW_THREADS
            }
            end = is_done ? PyLong_FromSsize_t(start + plain.len + AEAD_OVERHEAD) : seal_trouble();
        }
        PyBuffer_Release(&plain);
    }
    PyBuffer_Release(&target);
    return end;
}

/* Whether what was sealed opens to `plain`; `decompress` is called if it is not None.
 * -1 with an exception set if that could not be found out. */
static int
seal_proves(Sealer *self, const uint8_t *sealed, size_t size, const Py_buffer *plain,
            PyObject *decompress)
{
    int outcome = seal_open_to_scratch(self, sealed, size);
    if (outcome != 1) {
        if (outcome == -1)
            seal_trouble();
        return outcome == 0 ? 0 : -1;
    }
    if (decompress == Py_None)
        return size - AEAD_OVERHEAD == (size_t)plain->len &&
               memcmp(self->scratch, plain->buf, (size_t)plain->len) == 0;
    PyObject *view = PyMemoryView_FromMemory((char *)self->scratch,
                                             (Py_ssize_t)size - AEAD_OVERHEAD, PyBUF_READ);
    if (view == NULL)
        return -1;
    PyObject *unpacked = PyObject_CallOneArg(decompress, view);
    Py_DECREF(view);
    if (unpacked == NULL)
        return -1;
    char *bytes;
    Py_ssize_t length;
    int is_same = -1;
    if (PyBytes_AsStringAndSize(unpacked, &bytes, &length) == 0)
        is_same = length == plain->len && memcmp(bytes, plain->buf, (size_t)length) == 0;
    Py_DECREF(unpacked);
    return is_same;
}

/* put(target, start, text, plain, decompress): seal `text` into target[start:] and open it again.
 * Returns where it ends, or None if it did not open to `plain`, decompressed unless that is None.
 */
static PyObject *
seal_put(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    Sealer *self = (Sealer *)object;
    if (count != 5) {
        PyErr_SetString(PyExc_TypeError, "put takes five arguments.");
        return NULL;
    }
    PyObject *end = seal_into(object, args, 3);
    if (end == NULL)
        return NULL;
    Py_ssize_t start = PyLong_AsSsize_t(args[1]), stop = PyLong_AsSsize_t(end);
    Py_buffer target, plain;
    int is_proven = -1;
    if (PyObject_GetBuffer(args[0], &target, PyBUF_SIMPLE) == 0) {
        if (PyObject_GetBuffer(args[3], &plain, PyBUF_SIMPLE) == 0) {
            is_proven = seal_proves(self, (uint8_t *)target.buf + start, (size_t)(stop - start),
                                    &plain, args[4]);
            PyBuffer_Release(&plain);
        }
        PyBuffer_Release(&target);
    }
    if (is_proven == 1)
        return end;
    Py_DECREF(end);
    if (is_proven < 0)
        return NULL;
    Py_RETURN_NONE;
}

static int
seal_take_key(PyObject *key, const char *name, uint8_t *target, Py_ssize_t size)
{
    PyObject *value = PyObject_GetAttrString(key, name);
    if (value == NULL)
        return 0;
    int is_sound = PyBytes_Check(value) && PyBytes_GET_SIZE(value) == size;
    if (is_sound)
        memcpy(target, PyBytes_AS_STRING(value), (size_t)size);
    else
        PyErr_SetString(PyExc_ValueError, "A key has the wrong length.");
    Py_DECREF(value);
    return is_sound;
}

/* Takes the key; false with an exception set. */
static int
seal_begin(Sealer *self, PyObject *key)
{
    uint8_t encrypt[32], k[16];
    if (!seal_take_key(key, "encrypt", encrypt, 32) || !seal_take_key(key, "mac_k", k, 16) ||
        !seal_take_key(key, "mac_r", self->aead.r, 16))
        return 0;
    int is_ready = aead_begin(&self->aead, encrypt, k);
    OPENSSL_cleanse(encrypt, sizeof encrypt);
    OPENSSL_cleanse(k, sizeof k);
    if (!is_ready)
        seal_trouble();
    return is_ready;
}

static PyObject *
seal_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"key", NULL};
    PyObject *key;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Sealer", names, &key))
        return NULL;
    PyObject *self = type->tp_alloc(type, 0);
    if (self != NULL && !seal_begin((Sealer *)self, key))
        Py_CLEAR(self);
    return self;
}

static void
seal_dealloc(PyObject *object)
{
    Sealer *self = (Sealer *)object;
    aead_end(&self->aead);
    if (self->scratch != NULL)
        OPENSSL_cleanse(self->scratch, self->scratch_size);
    PyMem_RawFree(self->scratch);
    module_dealloc_plain(object);
}

static PyMethodDef seal_methods[] = {
    {"open", seal_open, METH_O, "open(sealed): the plaintext; DamagedError unless the MAC fits."},
    {"peek", seal_peek, METH_O, "peek(sealed): as open, but a view that the next call overwrites."},
    {"seal", seal_seal, METH_O, "seal(plain): the sealed text, 32 bytes longer."},
    {"seal_into", (PyCFunction)(void (*)(void))seal_into, METH_FASTCALL,
     "seal_into(target, start, plain): where the sealed text ends."},
    {"put", (PyCFunction)(void (*)(void))seal_put, METH_FASTCALL,
     "put(target, start, text, plain, decompress): seal, and open again; None if that fails."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot seal_type_slots[] = {
    {Py_tp_doc, "Seals and opens with one key. One instance per thread."},
    {Py_tp_methods, seal_methods},
    {Py_tp_new, seal_new},
    {Py_tp_traverse, module_traverse_plain},
    {Py_tp_dealloc, seal_dealloc},
    {0, NULL},
};

static PyType_Spec seal_type = {
    .name = "nightsafe._native.seal.Sealer",
    .basicsize = sizeof(Sealer),
    .flags = MODULE_TYPE_FLAGS | Py_TPFLAGS_HAVE_GC,
    .slots = seal_type_slots,
};

static int
seal_exec(PyObject *module)
{
    SealState *state = PyModule_GetState(module);
    PyObject *errors = PyImport_ImportModule("nightsafe.errors");
    if (errors == NULL)
        return -1;
    state->damaged_error = PyObject_GetAttrString(errors, "DamagedError");
    Py_DECREF(errors);
    if (state->damaged_error == NULL)
        return -1;
    if (!aead_watch_forks()) {
        PyErr_NoMemory();
        return -1;
    }
    return module_only_add_type(module, &seal_type);
}

static int
seal_traverse(PyObject *module, visitproc visit, void *arg)
{
    Py_VISIT(((SealState *)PyModule_GetState(module))->damaged_error);
    return 0;
}

static int
seal_clear(PyObject *module)
{
    Py_CLEAR(((SealState *)PyModule_GetState(module))->damaged_error);
    return 0;
}

static void
seal_free(void *module)
{
    seal_clear(module);
}

static PyModuleDef_Slot seal_slots[] = {{Py_mod_exec, seal_exec}, MODULE_SLOTS};

static struct PyModuleDef seal_module = {
    PyModuleDef_HEAD_INIT, .m_name = "nightsafe._native.seal",
    .m_doc = "Sealing.",   .m_size = sizeof(SealState),
    .m_slots = seal_slots, .m_traverse = seal_traverse,
    .m_clear = seal_clear, .m_free = seal_free,
};

MODULE_INIT(seal, seal_module)
