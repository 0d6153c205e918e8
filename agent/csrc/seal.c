/* Sealing and opening as nightsafe.crypto.sealer defines it, on OpenSSL's libcrypto, with less ado
 * for each small text: AES-256 in counter mode, Poly1305-AES over the ciphertext.
 *
 * nightsafe.crypto.sealer does the same in Python when this extension is missing.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "aead.h"

enum { LONG = 16384 };

static PyObject *DamagedError;

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
seal_damaged(size_t size)
{
    PyErr_SetString(DamagedError,
                    size < AEAD_OVERHEAD
                        ? "A sealed text is too short to be one; it is damaged."
                        : "A sealed text fails its MAC: it was changed after it was written.");
    return NULL;
}

/* Opens into the scratch memory; like aead_open. Large texts let other threads run. */
static int
seal_open_to_scratch(Sealer *self, const uint8_t *sealed, size_t size)
{
    int outcome;
    if (!seal_need_scratch(self, size + 1))
        return -2;
    if (size < LONG)
        return aead_open(&self->aead, self->scratch, sealed, size);
    Py_BEGIN_ALLOW_THREADS
    outcome = aead_open(&self->aead, self->scratch, sealed, size);
    Py_END_ALLOW_THREADS
    return outcome;
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
seal_open(Sealer *self, PyObject *argument)
{
    Py_buffer sealed;
    PyObject *plain = NULL;
    if (PyObject_GetBuffer(argument, &sealed, PyBUF_SIMPLE) < 0)
        return NULL;
    size_t size = (size_t)sealed.len;
    if (size < AEAD_OVERHEAD)
        seal_damaged(size);
    else if (!seal_is_too_long(size))
        plain = PyBytes_FromStringAndSize(NULL, sealed.len - AEAD_OVERHEAD);
    if (plain != NULL) {
        uint8_t *target = (uint8_t *)PyBytes_AS_STRING(plain);
        int outcome;
        if (size < LONG) {
            outcome = aead_open(&self->aead, target, sealed.buf, size);
        } else {
            Py_BEGIN_ALLOW_THREADS
            outcome = aead_open(&self->aead, target, sealed.buf, size);
            Py_END_ALLOW_THREADS
        }
        if (outcome != 1) {
            Py_CLEAR(plain);
            outcome < 0 ? seal_trouble() : seal_damaged(size);
        }
    }
    PyBuffer_Release(&sealed);
    return plain;
}

/* The opened text as a view of the scratch memory, which the next call overwrites. */
static PyObject *
seal_peek(Sealer *self, PyObject *argument)
{
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
            seal_damaged((size_t)sealed.len);
        else if (outcome == -1)
            seal_trouble();
    }
    PyBuffer_Release(&sealed);
    return view;
}

static PyObject *
seal_seal(Sealer *self, PyObject *argument)
{
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
seal_into(Sealer *self, PyObject *const *args, Py_ssize_t count)
{
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
seal_put(Sealer *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 5) {
        PyErr_SetString(PyExc_TypeError, "put takes five arguments.");
        return NULL;
    }
    PyObject *end = seal_into(self, args, 3);
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

static int
seal_init(Sealer *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"key", NULL};
    PyObject *key;
    uint8_t encrypt[32], k[16];
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Sealer", names, &key))
        return -1;
    if (self->aead.stream != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "A sealer keeps the key it was made with.");
        return -1;
    }
    if (!seal_take_key(key, "encrypt", encrypt, 32) || !seal_take_key(key, "mac_k", k, 16) ||
        !seal_take_key(key, "mac_r", self->aead.r, 16))
        return -1;
    self->aead.next = AEAD_BATCH;
    self->aead.stream = EVP_CIPHER_CTX_new();
    self->aead.block = EVP_CIPHER_CTX_new();
    EVP_MAC *poly = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    if (poly != NULL)
        self->aead.mac = EVP_MAC_CTX_new(poly);
    EVP_MAC_free(poly);
    int is_ready = self->aead.stream != NULL && self->aead.block != NULL &&
                   self->aead.mac != NULL &&
                   EVP_EncryptInit_ex(self->aead.stream, EVP_aes_256_ctr(), NULL, encrypt, NULL) &&
                   EVP_EncryptInit_ex(self->aead.block, EVP_aes_128_ecb(), NULL, k, NULL) &&
                   EVP_CIPHER_CTX_set_padding(self->aead.block, 0);
    OPENSSL_cleanse(encrypt, sizeof encrypt);
    OPENSSL_cleanse(k, sizeof k);
    if (is_ready)
        return 0;
    seal_trouble();
    return -1;
}

static void
seal_dealloc(Sealer *self)
{
    EVP_CIPHER_CTX_free(self->aead.stream);
    EVP_CIPHER_CTX_free(self->aead.block);
    EVP_MAC_CTX_free(self->aead.mac);
    OPENSSL_cleanse(self->aead.r, sizeof self->aead.r);
    OPENSSL_cleanse(self->aead.pads, sizeof self->aead.pads);
    if (self->scratch != NULL)
        OPENSSL_cleanse(self->scratch, self->scratch_size);
    PyMem_RawFree(self->scratch);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef sealer_methods[] = {
    {"open", (PyCFunction)seal_open, METH_O,
     "open(sealed): the plaintext; DamagedError unless the MAC fits."},
    {"peek", (PyCFunction)seal_peek, METH_O,
     "peek(sealed): as open, but a view that the next call overwrites."},
    {"seal", (PyCFunction)seal_seal, METH_O, "seal(plain): the sealed text, 32 bytes longer."},
    {"seal_into", (PyCFunction)(void (*)(void))seal_into, METH_FASTCALL,
     "seal_into(target, start, plain): where the sealed text ends."},
    {"put", (PyCFunction)(void (*)(void))seal_put, METH_FASTCALL,
     "put(target, start, text, plain, decompress): seal, and open again; None if that fails."},
    {NULL},
};

static PyTypeObject SealerType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "nightsafe._native.seal.Sealer",
    .tp_basicsize = sizeof(Sealer),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "Seals and opens with one key. One instance per thread.",
    .tp_methods = sealer_methods,
    .tp_init = (initproc)seal_init,
    .tp_dealloc = (destructor)seal_dealloc,
    .tp_new = PyType_GenericNew,
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "nightsafe._native.seal",
                                    .m_doc = "Sealing.", .m_size = -1};

PyMODINIT_FUNC
PyInit_seal(void)
{
    PyObject *errors = PyImport_ImportModule("nightsafe.errors");
    if (errors == NULL)
        return NULL;
    DamagedError = PyObject_GetAttrString(errors, "DamagedError");
    Py_DECREF(errors);
    if (DamagedError == NULL || PyType_Ready(&SealerType) < 0)
        return NULL;
    if (pthread_atfork(NULL, NULL, aead_forked) != 0)
        return PyErr_NoMemory();
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && PyModule_AddObjectRef(made, "Sealer", (PyObject *)&SealerType) < 0)
        Py_CLEAR(made);
    return made;
}
