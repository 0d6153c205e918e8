/* Whether a tree that is about to be stored is one: read to its last byte, entries counted.
 *
 * nightsafe.archiver.tree_check says what is looked for, and does the same in Python when this
 * extension is missing.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

#include "module.h"

enum { HEX = 64 };

/* What is still to be read. */
typedef struct {
    const unsigned char *at, *end;
    int is_ascii;
} Text;

/* A string in the text, without its quotation marks. */
typedef struct {
    const unsigned char *start;
    size_t size;
    int has_escapes;
} String;

/* Each of these goes over what it names, or says that it is not there. */

static int
tree_check_take(Text *text, const char *literal)
{
    size_t size = strlen(literal);
    if ((size_t)(text->end - text->at) < size || memcmp(text->at, literal, size) != 0)
        return 0;
    text->at += size;
    return 1;
}

static int
tree_check_is_hex(unsigned char sign)
{
    return (sign >= '0' && sign <= '9') || (sign >= 'a' && sign <= 'f');
}

/* What follows a backslash; no half of a surrogate pair. */
static int
tree_check_take_escape(Text *text)
{
    if (text->at == text->end)
        return 0;
    unsigned char kind = *text->at++;
    if (kind != 'u')
        return kind != 0 && strchr("\"\\/bfnrt", kind) != NULL;
    if (text->end - text->at < 4)
        return 0;
    for (int i = 0; i < 4; i++)
        if (!tree_check_is_hex(text->at[i]))
            return 0;
    int is_surrogate = text->at[0] == 'd' && text->at[1] >= '8';
    text->at += 4;
    return !is_surrogate;
}

static int
tree_check_take_string(Text *text, String *found)
{
    if (!tree_check_take(text, "\""))
        return 0;
    *found = (String){.start = text->at};
    while (text->at < text->end) {
        unsigned char sign = *text->at++;
        if (sign == '"') {
            found->size = (size_t)(text->at - 1 - found->start);
            return 1;
        }
        if (sign < ' ')
            return 0;
        if (sign == '\\') {
            found->has_escapes = 1;
            if (!tree_check_take_escape(text))
                return 0;
        }
        text->is_ascii &= sign < 128;
    }
    return 0;
}

static int
tree_check_take_number(Text *text)
{
    const unsigned char *start = text->at;
    while (text->at < text->end && *text->at >= '0' && *text->at <= '9')
        text->at++;
    return text->at > start && (*start != '0' || text->at == start + 1);
}

static int
tree_check_take_id(Text *text)
{
    if (text->end - text->at < HEX + 2 || text->at[0] != '"' || text->at[HEX + 1] != '"')
        return 0;
    for (int i = 1; i <= HEX; i++)
        if (!tree_check_is_hex(text->at[i]))
            return 0;
    text->at += HEX + 2;
    return 1;
}

/* Extended attributes, behind the first bracket. */
static int
tree_check_take_attributes(Text *text)
{
    String name, value;
    do {
        if (!tree_check_take(text, "{\"name\":") || !tree_check_take_string(text, &name) ||
            !tree_check_take(text, ",\"value\":") || !tree_check_take_string(text, &value) ||
            !tree_check_take(text, "}"))
            return 0;
    } while (tree_check_take(text, ","));
    return tree_check_take(text, "]");
}

static int
tree_check_take_value(Text *text)
{
    String value;
    if (text->at == text->end)
        return 0;
    if (*text->at == '"')
        return tree_check_take_string(text, &value);
    return tree_check_take(text, "[") ? tree_check_take_attributes(text)
                                      : tree_check_take_number(text);
}

/* The name of a field, up to its colon. */
static int
tree_check_take_key(Text *text)
{
    const unsigned char *start = text->at;
    while (text->at < text->end && ((*text->at >= 'a' && *text->at <= 'z') || *text->at == '_'))
        text->at++;
    return text->at > start && tree_check_take(text, "\":");
}

/* The blobs of a file. */
static int
tree_check_take_content(Text *text, int *is_list)
{
    *is_list = !tree_check_take(text, "null");
    if (!*is_list)
        return 1;
    if (!tree_check_take(text, "["))
        return 0;
    if (tree_check_take(text, "]"))
        return 1;
    do {
        if (!tree_check_take_id(text))
            return 0;
    } while (tree_check_take(text, ","));
    return tree_check_take(text, "]");
}

static int
tree_check_is_word(const String *string, const char *word)
{
    return string->size == strlen(word) && memcmp(string->start, word, string->size) == 0;
}

static int
tree_check_take_node(Text *text, String *name)
{
    String kind;
    int is_list, has_subtree = 0;
    if (!tree_check_take(text, "{\"name\":") || !tree_check_take_string(text, name) ||
        name->size == 0 || !tree_check_take(text, ",\"type\":") ||
        !tree_check_take_string(text, &kind))
        return 0;
    while (!tree_check_take(text, ",\"content\":"))
        if (tree_check_take(text, ",\"subtree\":") || !tree_check_take(text, ",\"") ||
            !tree_check_take_key(text) || !tree_check_take_value(text))
            return 0;
    if (!tree_check_take_content(text, &is_list))
        return 0;
    if (tree_check_take(text, ",\"subtree\":")) {
        if (!tree_check_take_id(text))
            return 0;
        has_subtree = 1;
    }
    return tree_check_take(text, "}") && is_list == tree_check_is_word(&kind, "file") &&
           has_subtree == tree_check_is_word(&kind, "dir");
}

/* Whether a name comes after the one before, by bytes. */
static int
tree_check_is_after(const String *name, const String *before)
{
    size_t size = name->size < before->size ? name->size : before->size;
    int order = size ? memcmp(name->start, before->start, size) : 0;
    return order > 0 || (order == 0 && name->size > before->size);
}

/* How many nodes the whole text holds; -1 if it is not a tree. */
static Py_ssize_t
tree_check_count_nodes(Text *text)
{
    String before = {.start = text->at}, name;
    Py_ssize_t nodes = 0;
    if (!tree_check_take(text, "{\"nodes\":["))
        return -1;
    if (tree_check_take(text, "]}\n"))
        return text->at == text->end ? 0 : -1;
    do {
        if (!tree_check_take_node(text, &name))
            return -1;
        nodes++;
        if (name.has_escapes)
            continue; /* its bytes are others than those that stand here */
        if (!tree_check_is_after(&name, &before))
            return -1;
        before = name;
    } while (tree_check_take(text, ","));
    return tree_check_take(text, "]}\n") && text->at == text->end ? nodes : -1;
}

/* count(tree): how many entries a tree of ours holds; None if it is not one. */
static PyObject *
tree_check_count(PyObject *module, PyObject *tree)
{
    (void)module;
    char *start;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(tree, &start, &size) < 0)
        return NULL;
    Text text = {.at = (unsigned char *)start, .end = (unsigned char *)start + size, .is_ascii = 1};
    Py_ssize_t nodes = tree_check_count_nodes(&text);
    if (nodes >= 0 && !text.is_ascii) {
        PyObject *decoded = PyUnicode_DecodeUTF8(start, size, "strict");
        if (decoded == NULL && !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
            return NULL;
        if (decoded == NULL) {
            PyErr_Clear();
            nodes = -1;
        }
        Py_XDECREF(decoded);
    }
    if (nodes < 0)
        Py_RETURN_NONE;
    return PyLong_FromSsize_t(nodes);
}

static PyMethodDef tree_check_methods[] = {
    {"count", tree_check_count, METH_O,
     "count(tree): how many entries a tree holds; None if it is not one."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot tree_check_slots[] = {MODULE_SLOTS};

static struct PyModuleDef tree_check_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "nightsafe._native.tree_check",
    .m_doc = "Trees before they are stored.",
    .m_size = 0,
    .m_methods = tree_check_methods,
    .m_slots = tree_check_slots,
};

MODULE_INIT(tree_check, tree_check_module)
