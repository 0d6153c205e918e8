/* SHA-256 of several texts in one call, side by side where the processor can.
 *
 * nightsafe.crypto.sha256 does the same with the library when this extension is missing, or the
 * processor has no instructions for it.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "module.h"
#include "sha256_mb.h"

enum { LONG = 4096 };

/* The digests of what the first `count` buffers hold, as a list. */
static PyObject *
sha256_digests_of(const Py_buffer *texts, Sha256Message *messages, Py_ssize_t count)
{
    PyObject *digests = PyList_New(count);
    Py_ssize_t total = 0;
    for (Py_ssize_t i = 0; digests != NULL && i < count; i++) {
        PyObject *digest = PyBytes_FromStringAndSize(NULL, SHA256_DIGEST);
        if (digest == NULL) {
            Py_CLEAR(digests);
            break;
        }
        PyList_SET_ITEM(digests, i, digest);
        messages[i] = (Sha256Message){.data = texts[i].buf,
                                      .size = (size_t)texts[i].len,
                                      .digest = (uint8_t *)PyBytes_AS_STRING(digest)};
        total += texts[i].len;
    }
    if (digests == NULL)
        return NULL;
    if (total < LONG) {
        sha256_mb_digest(messages, (size_t)count);
    } else {
        Py_BEGIN_ALLOW_THREADS
        sha256_mb_digest(messages, (size_t)count);
        Py_END_ALLOW_THREADS
    }
    return digests;
}

/* digests(texts): the SHA-256 of each. */
static PyObject *
sha256_digests(PyObject *module, PyObject *given)
{
    (void)module;
    PyObject *list = PySequence_Fast(given, "digests takes a sequence of texts."), *result = NULL;
    if (list == NULL)
        return NULL;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(list), held = 0;
    Py_buffer *texts = PyMem_Calloc((size_t)count + 1, sizeof *texts);
    Sha256Message *messages = PyMem_Calloc((size_t)count + 1, sizeof *messages);
    if (texts == NULL || messages == NULL) {
        PyErr_NoMemory();
    } else {
        while (held < count && PyObject_GetBuffer(PySequence_Fast_GET_ITEM(list, held),
                                                  &texts[held], PyBUF_SIMPLE) == 0)
            held++;
        if (held == count)
            result = sha256_digests_of(texts, messages, count);
        while (held)
            PyBuffer_Release(&texts[--held]);
    }
    PyMem_Free(texts);
    PyMem_Free(messages);
    Py_DECREF(list);
    return result;
}

static PyMethodDef sha256_methods[] = {
    {"digests", sha256_digests, METH_O, "digests(texts): the SHA-256 of each, as a list."},
    {NULL, NULL, 0, NULL},
};

static int
sha256_exec(PyObject *module)
{
    (void)module;
    if (sha256_mb_is_supported())
        return 0;
    PyErr_SetString(PyExc_ImportError, "This processor has no instructions for SHA-256.");
    return -1;
}

static PyModuleDef_Slot sha256_slots[] = {{Py_mod_exec, sha256_exec}, MODULE_SLOTS};

static struct PyModuleDef sha256_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "nightsafe._native.sha256",
    .m_doc = "SHA-256 of several texts.",
    .m_size = 0,
    .m_methods = sha256_methods,
    .m_slots = sha256_slots,
};

MODULE_INIT(sha256, sha256_module)
