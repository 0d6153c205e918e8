/* What index files say of the blobs in a pack: written from the pack's opened header, and read.
 *
 * nightsafe.repofile.index does the same in Python when this extension is missing.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#include "hex_id.h"
#include "module.h"

enum { PLAIN = 37, COMPRESSED = 41, OVERHEAD = 32, MOST = 220 };

static char *
index_entries_put_text(char *at, const char *text)
{
    size_t size = strlen(text);
    memcpy(at, text, size);
    return at + size;
}

static char *
index_entries_put_number(char *at, uint64_t number)
{
    char digits[24];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    memcpy(at, digits + first, sizeof digits - first);
    return at + sizeof digits - first;
}

static char *
index_entries_put_hex(char *at, const uint8_t *bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < HEX_ID_SIZE; i++) {
        *at++ = digits[bytes[i] >> 4];
        *at++ = digits[bytes[i] & 15];
    }
    return at;
}

static uint64_t
index_entries_number_at(const uint8_t *bytes)
{
    return bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 | (uint64_t)bytes[3] << 24;
}

/* Writes the entries to `at`, which has room; NULL if the header is not sound. */
static char *
index_entries_put_entries(char *at, const uint8_t *header, Py_ssize_t size)
{
    uint64_t offset = 0;
    for (Py_ssize_t position = 0; position < size;) {
        const uint8_t *entry = header + position;
        int is_compressed = entry[0] & 2;
        Py_ssize_t length = is_compressed ? COMPRESSED : PLAIN;
        if (entry[0] > 3 || size - position < length ||
            index_entries_number_at(entry + 1) < OVERHEAD)
            return NULL;
        uint64_t sealed = index_entries_number_at(entry + 1),
                 plain = is_compressed ? index_entries_number_at(entry + 5) : 0;
        at = index_entries_put_text(at, position ? ",{\"id\":\"" : "{\"id\":\"");
        at = index_entries_put_hex(at, entry + length - HEX_ID_SIZE);
        at = index_entries_put_text(at, entry[0] & 1 ? "\",\"type\":\"tree\",\"offset\":"
                                                     : "\",\"type\":\"data\",\"offset\":");
        at = index_entries_put_number(at, offset);
        at = index_entries_put_text(at, ",\"length\":");
        at = index_entries_put_number(at, sealed);
        if (plain) {
            at = index_entries_put_text(at, ",\"uncompressed_length\":");
            at = index_entries_put_number(at, plain);
        }
        at = index_entries_put_text(at, "}");
        offset += sealed;
        position += length;
    }
    return at;
}

/* encode(header): the JSON of its entries with commas between, or None if it is not sound. */
static PyObject *
index_entries_encode(PyObject *module, PyObject *header)
{
    (void)module;
    if (!PyBytes_CheckExact(header)) {
        PyErr_SetString(PyExc_TypeError, "A header is bytes.");
        return NULL;
    }
    Py_ssize_t size = PyBytes_GET_SIZE(header);
    PyObject *text = PyBytes_FromStringAndSize(NULL, (size / PLAIN + 1) * MOST);
    if (text == NULL)
        return NULL;
    char *start = PyBytes_AS_STRING(text);
    char *end = index_entries_put_entries(start, (const uint8_t *)PyBytes_AS_STRING(header), size);
    if (end == NULL) {
        Py_DECREF(text);
        Py_RETURN_NONE;
    }
    if (_PyBytes_Resize(&text, end - start) < 0)
        return NULL;
    return text;
}

/* Reading. Only what restic and nightsafe write is read here, to the letter; of any other text it
 * is said that it was not, and a library for JSON reads it, or says what is wrong. */

typedef struct {
    const char *at, *end;
    PyTypeObject *pack, *blob;
    PyObject *data, *tree;
} Reader;

static int
index_entries_take(Reader *self, const char *text)
{
    size_t size = strlen(text);
    if ((size_t)(self->end - self->at) < size || memcmp(self->at, text, size) != 0)
        return 0;
    self->at += size;
    return 1;
}

/* 64 digits; NULL without an exception if they are no id. */
static PyObject *
index_entries_take_id(Reader *self)
{
    PyObject *id = self->end - self->at < 2 * HEX_ID_SIZE ? NULL : hex_id_read(self->at);
    if (id != NULL)
        self->at += 2 * HEX_ID_SIZE;
    return id;
}

/* A number from `least` to 2^32 - 1, without zeros in front. */
static int
index_entries_take_number(Reader *self, uint64_t least, uint64_t *number)
{
    const char *first = self->at;
    uint64_t value = 0;
    while (self->at < self->end && *self->at >= '0' && *self->at <= '9') {
        value = value * 10 + (uint64_t)(*self->at++ - '0');
        if (value > UINT32_MAX)
            return 0;
    }
    Py_ssize_t digits = self->at - first;
    *number = value;
    return digits > 0 && value >= least && (*first != '0' || digits == 1);
}

/* One entry of a pack; NULL, perhaps with an exception, if it is another text. */
static PyObject *
index_entries_take_blob(Reader *self)
{
    if (!index_entries_take(self, "{\"id\":\""))
        return NULL;
    PyObject *blob = self->blob->tp_alloc(self->blob, 5);
    if (blob == NULL)
        return NULL;
    PyObject *id = index_entries_take_id(self);
    PyTuple_SET_ITEM(blob, 1, id);
    uint64_t numbers[3] = {0, 0, 0};
    int is_sound = id != NULL && index_entries_take(self, "\",\"type\":\"");
    PyObject *kind = NULL;
    if (is_sound)
        kind = index_entries_take(self, "data\"")   ? self->data
               : index_entries_take(self, "tree\"") ? self->tree
                                                    : NULL;
    PyTuple_SET_ITEM(blob, 0, Py_XNewRef(kind));
    is_sound = kind != NULL && index_entries_take(self, ",\"offset\":") &&
               index_entries_take_number(self, 0, numbers) &&
               index_entries_take(self, ",\"length\":") &&
               index_entries_take_number(self, OVERHEAD, numbers + 1) &&
               (!index_entries_take(self, ",\"uncompressed_length\":") ||
                index_entries_take_number(self, 0, numbers + 2)) &&
               index_entries_take(self, "}");
    for (int i = 0; is_sound && i < 3; i++) {
        PyObject *number = PyLong_FromUnsignedLongLong(numbers[i]);
        PyTuple_SET_ITEM(blob, 2 + i, number);
        is_sound = number != NULL;
    }
    if (!is_sound)
        Py_CLEAR(blob);
    return blob;
}

/* The entries of a pack, one at least, as a tuple. */
static PyObject *
index_entries_take_blobs(Reader *self)
{
    PyObject *list = PyList_New(0), *blobs = NULL;
    int is_sound = list != NULL;
    do {
        PyObject *blob = is_sound ? index_entries_take_blob(self) : NULL;
        is_sound = blob != NULL && PyList_Append(list, blob) == 0;
        Py_XDECREF(blob);
    } while (is_sound && index_entries_take(self, ","));
    if (is_sound)
        blobs = PyList_AsTuple(list);
    Py_XDECREF(list);
    return blobs;
}

static PyObject *
index_entries_take_pack(Reader *self)
{
    PyObject *id = index_entries_take(self, "{\"id\":\"") ? index_entries_take_id(self) : NULL;
    PyObject *blobs = id != NULL && index_entries_take(self, "\",\"blobs\":[")
                          ? index_entries_take_blobs(self)
                          : NULL;
    PyObject *pack = NULL;
    if (blobs != NULL && index_entries_take(self, "]}"))
        pack = self->pack->tp_alloc(self->pack, 2);
    if (pack == NULL) {
        Py_XDECREF(id);
        Py_XDECREF(blobs);
        return NULL;
    }
    PyTuple_SET_ITEM(pack, 0, id);
    PyTuple_SET_ITEM(pack, 1, blobs);
    return pack;
}

/* decode(text, pack, blob, data, tree): the packs of an index file, as values of two named tuples
 * and with these two kinds, or None if the text is any other than the usual. */
static PyObject *
index_entries_decode(PyObject *module, PyObject *args)
{
    (void)module;
    Reader reader;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "y#O!O!OO:decode", &reader.at, &size, &PyType_Type, &reader.pack,
                          &PyType_Type, &reader.blob, &reader.data, &reader.tree))
        return NULL;
    reader.end = reader.at + size;
    if (!PyType_IsSubtype(reader.pack, &PyTuple_Type) ||
        !PyType_IsSubtype(reader.blob, &PyTuple_Type)) {
        PyErr_SetString(PyExc_TypeError, "Packs and blobs are tuples.");
        return NULL;
    }
    PyObject *packs = PyList_New(0);
    int is_sound = packs != NULL && index_entries_take(&reader, "{\"packs\":[");
    do {
        PyObject *pack = is_sound ? index_entries_take_pack(&reader) : NULL;
        is_sound = pack != NULL && PyList_Append(packs, pack) == 0;
        Py_XDECREF(pack);
    } while (is_sound && index_entries_take(&reader, ","));
    is_sound = is_sound && index_entries_take(&reader, "]}");
    index_entries_take(&reader, "\n"); /* restic ends its files so */
    if (is_sound && reader.at == reader.end)
        return packs;
    Py_XDECREF(packs);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef index_entries_methods[] = {
    {"encode", index_entries_encode, METH_O, "encode(header): the JSON of its entries, or None."},
    {"decode", index_entries_decode, METH_VARARGS,
     "decode(text, pack, blob, data, tree): the packs of an index file, or None."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot index_entries_slots[] = {MODULE_SLOTS};

static struct PyModuleDef index_entries_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "nightsafe._native.index_entries",
    .m_doc = "Entries of index files.",
    .m_size = 0,
    .m_methods = index_entries_methods,
    .m_slots = index_entries_slots,
};

MODULE_INIT(index_entries, index_entries_module)
