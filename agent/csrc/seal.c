/* Sealing and opening as nightsafe.crypto.sealer defines it, on OpenSSL's libcrypto, with less ado for
 * each small text: AES-256 in counter mode, Poly1305-AES over the ciphertext.
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
#include <sys/random.h>

enum { NONCE = 16, MAC = 16, OVERHEAD = NONCE + MAC, BATCH = 256, LONG = 16384 };

static unsigned long generation; /* of processes: a fork must not use a nonce a second time */
static PyObject *DamagedError;

typedef struct {
    PyObject_HEAD
    EVP_CIPHER_CTX *stream, *block;
    EVP_MAC_CTX *mac;
    uint8_t r[16];
    uint8_t nonces[BATCH * NONCE], pads[BATCH * NONCE];
    int next;
    unsigned long born;
    uint8_t *scratch;
    size_t scratch_size;
} Sealer;

static void
forked(void)
{
    generation++;
}

static PyObject *
trouble(void)
{
    PyErr_SetString(PyExc_RuntimeError, "OpenSSL failed while sealing; please report this.");
    return NULL;
}

static int
draw_nonces(Sealer *self)
{
    size_t held = 0;
    while (held < sizeof self->nonces) { /* at most 256 bytes a call come in one piece */
        ssize_t got = getrandom(self->nonces + held, sizeof self->nonces - held, 0);
        if (got < 0)
            return 0;
        held += (size_t)got;
    }
    int size = 0;
    if (!EVP_EncryptUpdate(self->block, self->pads, &size, self->nonces, sizeof self->nonces))
        return 0;
    self->next = 0;
    self->born = generation;
    return size == (int)sizeof self->nonces;
}

/* Encrypts or decrypts, which is the same. Texts are shorter than 2 GiB. */
static int
apply_stream(Sealer *self, const uint8_t *nonce, uint8_t *target, const uint8_t *text, size_t size)
{
    int done = 0;
    return EVP_EncryptInit_ex(self->stream, NULL, NULL, NULL, nonce) &&
           EVP_EncryptUpdate(self->stream, target, &done, text, (int)size) && done == (int)size;
}

static int
authenticate(Sealer *self, const uint8_t *pad, const uint8_t *text, size_t size, uint8_t *tag)
{
    uint8_t key[32];
    size_t length = 0;
    memcpy(key, self->r, 16);
    memcpy(key + 16, pad, 16);
    int is_done = EVP_MAC_init(self->mac, key, sizeof key, NULL) &&
                  EVP_MAC_update(self->mac, text, size) &&
                  EVP_MAC_final(self->mac, tag, &length, MAC) && length == MAC;
    OPENSSL_cleanse(key, sizeof key);
    return is_done;
}

/* Seals `size` bytes into `target`, which has room for OVERHEAD more. */
static int
seal_raw(Sealer *self, uint8_t *target, const uint8_t *plain, size_t size)
{
    if ((self->next == BATCH || self->born != generation) && !draw_nonces(self))
        return 0;
    const uint8_t *nonce = self->nonces + self->next * NONCE, *pad = self->pads + self->next * NONCE;
    self->next++;
    memcpy(target, nonce, NONCE);
    return apply_stream(self, nonce, target + NONCE, plain, size) &&
           authenticate(self, pad, target + NONCE, size, target + NONCE + size);
}

/* Opens into `plain`, which has room: 1 done, 0 the MAC does not fit, -1 OpenSSL failed. */
static int
open_raw(Sealer *self, uint8_t *plain, const uint8_t *sealed, size_t size)
{
    uint8_t pad[16], tag[MAC];
    int length = 0;
    if (size < OVERHEAD)
        return 0;
    size_t inner = size - OVERHEAD;
    if (!EVP_EncryptUpdate(self->block, pad, &length, sealed, NONCE) || length != NONCE)
        return -1;
    if (!authenticate(self, pad, sealed + NONCE, inner, tag))
        return -1;
    if (CRYPTO_memcmp(tag, sealed + NONCE + inner, MAC) != 0)
        return 0;
    return apply_stream(self, sealed, plain, sealed + NONCE, inner) ? 1 : -1;
}

static int
need_scratch(Sealer *self, size_t size)
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
damaged(size_t size)
{
    PyErr_SetString(DamagedError,
                    size < OVERHEAD
                        ? "A sealed text is too short to be one; it is damaged."
                        : "A sealed text fails its MAC: it was changed after it was written.");
    return NULL;
}

/* Opens into the scratch memory; like open_raw. Large texts let other threads run. */
static int
open_to_scratch(Sealer *self, const uint8_t *sealed, size_t size)
{
    int outcome;
    if (!need_scratch(self, size + 1))
        return -2;
    if (size < LONG)
        return open_raw(self, self->scratch, sealed, size);
    Py_BEGIN_ALLOW_THREADS
    outcome = open_raw(self, self->scratch, sealed, size);
    Py_END_ALLOW_THREADS
    return outcome;
}

static int
is_too_long(size_t size)
{
    if (size <= INT32_MAX - OVERHEAD)
        return 0;
    PyErr_SetString(PyExc_OverflowError, "A text of 2 GiB or more cannot be sealed or opened.");
    return 1;
}

static PyObject *
sealer_open(Sealer *self, PyObject *argument)
{
    Py_buffer sealed;
    PyObject *plain = NULL;
    if (PyObject_GetBuffer(argument, &sealed, PyBUF_SIMPLE) < 0)
        return NULL;
    size_t size = (size_t)sealed.len;
    if (size < OVERHEAD)
        damaged(size);
    else if (!is_too_long(size))
        plain = PyBytes_FromStringAndSize(NULL, sealed.len - OVERHEAD);
    if (plain != NULL) {
        uint8_t *target = (uint8_t *)PyBytes_AS_STRING(plain);
        int outcome;
        if (size < LONG) {
            outcome = open_raw(self, target, sealed.buf, size);
        } else {
            Py_BEGIN_ALLOW_THREADS
            outcome = open_raw(self, target, sealed.buf, size);
            Py_END_ALLOW_THREADS
        }
        if (outcome != 1) {
            Py_CLEAR(plain);
            outcome < 0 ? trouble() : damaged(size);
        }
    }
    PyBuffer_Release(&sealed);
    return plain;
}

/* The opened text as a view of the scratch memory, which the next call overwrites. */
static PyObject *
sealer_peek(Sealer *self, PyObject *argument)
{
    Py_buffer sealed;
    PyObject *view = NULL;
    if (PyObject_GetBuffer(argument, &sealed, PyBUF_SIMPLE) < 0)
        return NULL;
    if (!is_too_long((size_t)sealed.len)) {
        int outcome = open_to_scratch(self, sealed.buf, (size_t)sealed.len);
        if (outcome == 1)
            view = PyMemoryView_FromMemory((char *)self->scratch, sealed.len - OVERHEAD, PyBUF_READ);
        else if (outcome == 0)
            damaged((size_t)sealed.len);
        else if (outcome == -1)
            trouble();
    }
    PyBuffer_Release(&sealed);
    return view;
}

static PyObject *
sealer_seal(Sealer *self, PyObject *argument)
{
    Py_buffer plain;
    PyObject *sealed = NULL;
    if (PyObject_GetBuffer(argument, &plain, PyBUF_SIMPLE) < 0)
        return NULL;
    if (!is_too_long((size_t)plain.len))
        sealed = PyBytes_FromStringAndSize(NULL, plain.len + OVERHEAD);
    if (sealed != NULL &&
        !seal_raw(self, (uint8_t *)PyBytes_AS_STRING(sealed), plain.buf, (size_t)plain.len)) {
        Py_CLEAR(sealed);
        trouble();
    }
    PyBuffer_Release(&plain);
    return sealed;
}

/* Whether target[start:] has room for a sealed text of this size. */
static int
has_room(const Py_buffer *target, Py_ssize_t start, Py_ssize_t size)
{
    if (!is_too_long((size_t)size) && start >= 0 && start <= target->len &&
        size <= target->len - start - OVERHEAD)
        return 1;
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "There is no room here for the sealed text.");
    return 0;
}

static PyObject *
sealer_seal_into(Sealer *self, PyObject *const *args, Py_ssize_t count)
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
        if (has_room(&target, start, plain.len)) {
            int is_done;
            uint8_t *place = (uint8_t *)target.buf + start;
            if (plain.len < LONG) {
                is_done = seal_raw(self, place, plain.buf, (size_t)plain.len);
            } else {
                Py_BEGIN_ALLOW_THREADS
                is_done = seal_raw(self, place, plain.buf, (size_t)plain.len);
                Py_END_ALLOW_THREADS
            }
            end = is_done ? PyLong_FromSsize_t(start + plain.len + OVERHEAD) : trouble();
        }
        PyBuffer_Release(&plain);
    }
    PyBuffer_Release(&target);
    return end;
}

/* Whether what was sealed opens to `plain`; `decompress` is called if it is not None.
 * -1 with an exception set if that could not be found out. */
static int
proves(Sealer *self, const uint8_t *sealed, size_t size, const Py_buffer *plain,
       PyObject *decompress)
{
    int outcome = open_to_scratch(self, sealed, size);
    if (outcome != 1) {
        if (outcome == -1)
            trouble();
        return outcome == 0 ? 0 : -1;
    }
    if (decompress == Py_None)
        return size - OVERHEAD == (size_t)plain->len &&
               memcmp(self->scratch, plain->buf, (size_t)plain->len) == 0;
    PyObject *view = PyMemoryView_FromMemory((char *)self->scratch, (Py_ssize_t)size - OVERHEAD,
                                             PyBUF_READ);
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
 * Returns where it ends, or None if it did not open to `plain`, decompressed unless that is None. */
static PyObject *
sealer_put(Sealer *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 5) {
        PyErr_SetString(PyExc_TypeError, "put takes five arguments.");
        return NULL;
    }
    PyObject *end = sealer_seal_into(self, args, 3);
    if (end == NULL)
        return NULL;
    Py_ssize_t start = PyLong_AsSsize_t(args[1]), stop = PyLong_AsSsize_t(end);
    Py_buffer target, plain;
    int is_proven = -1;
    if (PyObject_GetBuffer(args[0], &target, PyBUF_SIMPLE) == 0) {
        if (PyObject_GetBuffer(args[3], &plain, PyBUF_SIMPLE) == 0) {
            is_proven = proves(self, (uint8_t *)target.buf + start, (size_t)(stop - start), &plain,
                               args[4]);
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
take_key(PyObject *key, const char *name, uint8_t *target, Py_ssize_t size)
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
sealer_init(Sealer *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"key", NULL};
    PyObject *key;
    uint8_t encrypt[32], k[16];
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Sealer", names, &key))
        return -1;
    if (self->stream != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "A sealer keeps the key it was made with.");
        return -1;
    }
    if (!take_key(key, "encrypt", encrypt, 32) || !take_key(key, "mac_k", k, 16) ||
        !take_key(key, "mac_r", self->r, 16))
        return -1;
    self->next = BATCH;
    self->stream = EVP_CIPHER_CTX_new();
    self->block = EVP_CIPHER_CTX_new();
    EVP_MAC *poly = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    if (poly != NULL)
        self->mac = EVP_MAC_CTX_new(poly);
    EVP_MAC_free(poly);
    int is_ready = self->stream != NULL && self->block != NULL && self->mac != NULL &&
                   EVP_EncryptInit_ex(self->stream, EVP_aes_256_ctr(), NULL, encrypt, NULL) &&
                   EVP_EncryptInit_ex(self->block, EVP_aes_128_ecb(), NULL, k, NULL) &&
                   EVP_CIPHER_CTX_set_padding(self->block, 0);
    OPENSSL_cleanse(encrypt, sizeof encrypt);
    OPENSSL_cleanse(k, sizeof k);
    if (is_ready)
        return 0;
    trouble();
    return -1;
}

static void
sealer_dealloc(Sealer *self)
{
    EVP_CIPHER_CTX_free(self->stream);
    EVP_CIPHER_CTX_free(self->block);
    EVP_MAC_CTX_free(self->mac);
    OPENSSL_cleanse(self->r, sizeof self->r);
    OPENSSL_cleanse(self->pads, sizeof self->pads);
    if (self->scratch != NULL)
        OPENSSL_cleanse(self->scratch, self->scratch_size);
    PyMem_RawFree(self->scratch);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef sealer_methods[] = {
    {"open", (PyCFunction)sealer_open, METH_O,
     "open(sealed): the plaintext; DamagedError unless the MAC fits."},
    {"peek", (PyCFunction)sealer_peek, METH_O,
     "peek(sealed): as open, but a view that the next call overwrites."},
    {"seal", (PyCFunction)sealer_seal, METH_O, "seal(plain): the sealed text, 32 bytes longer."},
    {"seal_into", (PyCFunction)(void (*)(void))sealer_seal_into, METH_FASTCALL,
     "seal_into(target, start, plain): where the sealed text ends."},
    {"put", (PyCFunction)(void (*)(void))sealer_put, METH_FASTCALL,
     "put(target, start, text, plain, decompress): seal, and open again; None if that fails."},
    {NULL},
};

static PyTypeObject SealerType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "nightsafe._native.seal.Sealer",
    .tp_basicsize = sizeof(Sealer),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "Seals and opens with one key. One instance per thread.",
    .tp_methods = sealer_methods,
    .tp_init = (initproc)sealer_init,
    .tp_dealloc = (destructor)sealer_dealloc,
    .tp_new = PyType_GenericNew,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "nightsafe._native.seal", .m_doc = "Sealing.", .m_size = -1};

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
    if (pthread_atfork(NULL, NULL, forked) != 0)
        return PyErr_NoMemory();
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && PyModule_AddObjectRef(made, "Sealer", (PyObject *)&SealerType) < 0)
        Py_CLEAR(made);
    return made;
}
