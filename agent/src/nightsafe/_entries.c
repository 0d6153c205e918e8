/* What index files say of the blobs in a pack, from the pack's opened header.
 *
 * nightsafe.index does the same in Python when this extension is missing.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

enum { ID = 32, PLAIN = 37, COMPRESSED = 41, OVERHEAD = 32, MOST = 220 };

static char *
put_text(char *at, const char *text)
{
    size_t size = strlen(text);
    memcpy(at, text, size);
    return at + size;
}

static char *
put_number(char *at, uint64_t number)
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
put_hex(char *at, const uint8_t *bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < ID; i++) {
        *at++ = digits[bytes[i] >> 4];
        *at++ = digits[bytes[i] & 15];
    }
    return at;
}

static uint64_t
number_at(const uint8_t *bytes)
{
    return bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 | (uint64_t)bytes[3] << 24;
}

/* Writes the entries to `at`, which has room; NULL if the header is not sound. */
static char *
put_entries(char *at, const uint8_t *header, Py_ssize_t size)
{
    uint64_t offset = 0;
    for (Py_ssize_t position = 0; position < size;) {
        const uint8_t *entry = header + position;
        int is_compressed = entry[0] & 2;
        Py_ssize_t length = is_compressed ? COMPRESSED : PLAIN;
        if (entry[0] > 3 || size - position < length || number_at(entry + 1) < OVERHEAD)
            return NULL;
        uint64_t sealed = number_at(entry + 1), plain = is_compressed ? number_at(entry + 5) : 0;
        at = put_text(at, position ? ",{\"id\":\"" : "{\"id\":\"");
        at = put_hex(at, entry + length - ID);
        at = put_text(at, entry[0] & 1 ? "\",\"type\":\"tree\",\"offset\":"
                                       : "\",\"type\":\"data\",\"offset\":");
        at = put_number(at, offset);
        at = put_text(at, ",\"length\":");
        at = put_number(at, sealed);
        if (plain) {
            at = put_text(at, ",\"uncompressed_length\":");
            at = put_number(at, plain);
        }
        at = put_text(at, "}");
        offset += sealed;
        position += length;
    }
    return at;
}

/* encode(header): the JSON of its entries with commas between, or None if it is not sound. */
static PyObject *
encode(PyObject *module, PyObject *header)
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
    char *end = put_entries(start, (const uint8_t *)PyBytes_AS_STRING(header), size);
    if (end == NULL) {
        Py_DECREF(text);
        Py_RETURN_NONE;
    }
    if (_PyBytes_Resize(&text, end - start) < 0)
        return NULL;
    return text;
}

static PyMethodDef methods[] = {
    {"encode", encode, METH_O, "encode(header): the JSON of its entries, or None."},
    {NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT,
                                    .m_name = "nightsafe._entries",
                                    .m_doc = "Entries of index files.",
                                    .m_size = -1,
                                    .m_methods = methods};

PyMODINIT_FUNC
PyInit__entries(void)
{
    return PyModule_Create(&module);
}
