/* Nodes of trees that are plain: what nightsafe.repofile.tree makes of a node's JSON, for most
 * nodes.
 *
 * Of anything out of the ordinary this says nothing, and nightsafe.repofile.tree looks at it in
 * Python, as it does at all nodes when this extension is missing.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#include "hex_id.h"
#include "module.h"

/* In the order of nightsafe.repofile.tree.Node. */
enum {
    NAME,
    TYPE,
    MODE,
    MTIME,
    ATIME,
    CTIME,
    UID,
    GID,
    USER,
    GROUP,
    INODE,
    DEVICE_ID,
    SIZE,
    LINKS,
    LINK_TARGET,
    XATTRS,
    DEVICE,
    CONTENT,
    SUBTREE,
    LAST
};

static const char *const words[LAST] = {
    [NAME] = "name",
    [TYPE] = "type",
    [MODE] = "mode",
    [MTIME] = "mtime",
    [ATIME] = "atime",
    [CTIME] = "ctime",
    [UID] = "uid",
    [GID] = "gid",
    [USER] = "user",
    [GROUP] = "group",
    [INODE] = "inode",
    [DEVICE_ID] = "device_id",
    [SIZE] = "size",
    [LINKS] = "links",
    [LINK_TARGET] = "linktarget",
    [XATTRS] = "extended_attributes",
    [DEVICE] = "device",
    [CONTENT] = "content",
    [SUBTREE] = "subtree",
};

typedef struct {
    PyObject *keys[LAST], *target_raw, *zero, *no_text, *no_bytes, *no_items;
} TreeNodesState;

/* Each of these gives a new reference; NULL without an exception if the value is not plain. */

static PyObject *
tree_nodes_number_of(const TreeNodesState *state, PyObject *value)
{
    int overflow;
    if (value == NULL)
        return Py_NewRef(state->zero);
    if (!PyLong_CheckExact(value) || PyLong_AsLongLongAndOverflow(value, &overflow) < 0 || overflow)
        return NULL;
    return Py_NewRef(value);
}

static PyObject *
tree_nodes_text_of(const TreeNodesState *state, PyObject *value)
{
    if (value == NULL)
        return Py_NewRef(state->no_text);
    return PyUnicode_CheckExact(value) ? Py_NewRef(value) : NULL;
}

/* Names that neither Go's quoting nor JSON changes. */
static PyObject *
tree_nodes_name_of(PyObject *value)
{
    if (value == NULL || !PyUnicode_CheckExact(value) || !PyUnicode_IS_COMPACT_ASCII(value))
        return NULL;
    const char *text = PyUnicode_DATA(value);
    Py_ssize_t size = PyUnicode_GET_LENGTH(value);
    for (Py_ssize_t i = 0; i < size; i++)
        if (text[i] < ' ' || text[i] > '~' || strchr("\"&<>\\", text[i]) != NULL)
            return NULL;
    return PyBytes_FromStringAndSize(text, size);
}

static PyObject *
tree_nodes_id_of(PyObject *value)
{
    if (!PyUnicode_CheckExact(value) || !PyUnicode_IS_COMPACT_ASCII(value) ||
        PyUnicode_GET_LENGTH(value) != 2 * HEX_ID_SIZE)
        return NULL;
    return hex_id_read(PyUnicode_DATA(value));
}

static PyObject *
tree_nodes_content_of(PyObject *value)
{
    if (value == NULL || value == Py_None)
        return Py_NewRef(Py_None);
    if (!PyList_CheckExact(value))
        return NULL;
    PyObject *ids = PyTuple_New(PyList_GET_SIZE(value));
    for (Py_ssize_t i = 0; ids != NULL && i < PyList_GET_SIZE(value); i++) {
        PyObject *id = tree_nodes_id_of(PyList_GET_ITEM(value, i));
        if (id == NULL)
            Py_CLEAR(ids);
        else
            PyTuple_SET_ITEM(ids, i, id);
    }
    return ids;
}

/* Times: RFC 3339 with up to nine digits of a fraction. */

/* Reads so many digits; -1 if there are others. */
static long
tree_nodes_digits_at(const char *text, int count)
{
    long number = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + text[i] - '0';
    }
    return number;
}

/* Days since 1970 in the Gregorian calendar, which repeats every 400 years. */
static long long
tree_nodes_days_of(long year, long month, long day)
{
    long y = month > 2 ? year : year - 1, era = y / 400, of_era = y - era * 400;
    long of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097LL + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int
tree_nodes_is_day(long year, long month, long day)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1 || month < 1 || month > 12 || day < 1)
        return 0;
    int is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= lengths[month - 1] + (month == 2 && is_leap);
}

/* Seconds east of Greenwich of "Z" or "+hh:mm"; false for anything else. */
static int
tree_nodes_read_zone(const char *text, size_t size, long *offset)
{
    *offset = 0;
    if (size == 1 && text[0] == 'Z')
        return 1;
    if (size != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':')
        return 0;
    long hours = tree_nodes_digits_at(text + 1, 2), minutes = tree_nodes_digits_at(text + 4, 2);
    *offset = (hours * 3600 + minutes * 60) * (text[0] == '-' ? -1 : 1);
    return hours >= 0 && minutes >= 0;
}

static int
tree_nodes_read_time(const char *text, size_t size, long long *ns)
{
    if (size < 20 || size > 19 + 10 + 6 || text[4] != '-' || text[7] != '-' || text[10] != 'T' ||
        text[13] != ':' || text[16] != ':')
        return 0;
    long year = tree_nodes_digits_at(text, 4), month = tree_nodes_digits_at(text + 5, 2),
         day = tree_nodes_digits_at(text + 8, 2);
    long hour = tree_nodes_digits_at(text + 11, 2), minute = tree_nodes_digits_at(text + 14, 2);
    long second = tree_nodes_digits_at(text + 17, 2), fraction = 0, offset;
    if (!tree_nodes_is_day(year, month, day) || hour < 0 || minute < 0 || second < 0)
        return 0;
    size_t at = 19;
    if (text[at] == '.') {
        int count = 0;
        for (at++; at < size && text[at] >= '0' && text[at] <= '9' && count < 9; at++, count++)
            fraction = fraction * 10 + text[at] - '0';
        if (count == 0)
            return 0;
        for (; count < 9; count++)
            fraction *= 10;
    }
    if (!tree_nodes_read_zone(text + at, size - at, &offset))
        return 0;
    long long seconds =
        tree_nodes_days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    if (seconds < -9000000000LL || seconds > 9000000000LL)
        return 0;
    *ns = seconds * 1000000000LL + fraction;
    return 1;
}

static PyObject *
tree_nodes_time_of(const TreeNodesState *state, PyObject *value)
{
    long long ns;
    if (value == NULL)
        return Py_NewRef(state->zero);
    if (!PyUnicode_CheckExact(value) || !PyUnicode_IS_COMPACT_ASCII(value))
        return NULL;
    Py_ssize_t size = PyUnicode_GET_LENGTH(value);
    if (size == 0)
        return Py_NewRef(state->zero);
    return tree_nodes_read_time(PyUnicode_DATA(value), (size_t)size, &ns) ? PyLong_FromLongLong(ns)
                                                                          : NULL;
}

static PyObject *
tree_nodes_field_of(const TreeNodesState *state, PyObject *entry, int field)
{
    PyObject *value = PyDict_GetItemWithError(entry, state->keys[field]);
    switch (field) {
    case NAME:
        return tree_nodes_name_of(value);
    case TYPE:
    case USER:
    case GROUP:
        return tree_nodes_text_of(state, value);
    case MTIME:
    case ATIME:
    case CTIME:
        return tree_nodes_time_of(state, value);
    case LINK_TARGET:
        return value == NULL ? Py_NewRef(state->no_bytes) : NULL;
    case XATTRS:
        return value == NULL ? Py_NewRef(state->no_items) : NULL;
    case CONTENT:
        return tree_nodes_content_of(value);
    case SUBTREE:
        return value == NULL || value == Py_None ? Py_NewRef(Py_None) : tree_nodes_id_of(value);
    default:
        return tree_nodes_number_of(state, value);
    }
}

/* decode(entry): the fields of a node's JSON in the order of Node; None if it is not plain. */
static PyObject *
tree_nodes_decode(PyObject *module, PyObject *entry)
{
    const TreeNodesState *state = PyModule_GetState(module);
    if (!PyDict_CheckExact(entry) || PyDict_GetItemWithError(entry, state->target_raw) != NULL)
        Py_RETURN_NONE;
    PyObject *fields = PyTuple_New(LAST);
    for (int i = 0; fields != NULL && i < LAST; i++) {
        PyObject *value = tree_nodes_field_of(state, entry, i);
        if (value == NULL)
            Py_CLEAR(fields);
        else
            PyTuple_SET_ITEM(fields, i, value);
    }
    /* Keys that are texts, as in JSON, are found or not; others may raise, so this is asked once. */
    if (PyErr_Occurred()) {
        Py_XDECREF(fields);
        return NULL;
    }
    if (fields != NULL)
        return fields;
    Py_RETURN_NONE;
}

static PyMethodDef tree_nodes_methods[] = {
    {"decode", tree_nodes_decode, METH_O, "decode(entry): the fields of a plain node, or None."},
    {NULL, NULL, 0, NULL},
};

static int
tree_nodes_exec(PyObject *module)
{
    TreeNodesState *state = PyModule_GetState(module);
    for (int i = 0; i < LAST; i++)
        if ((state->keys[i] = PyUnicode_InternFromString(words[i])) == NULL)
            return -1;
    state->target_raw = PyUnicode_InternFromString("linktarget_raw");
    state->zero = PyLong_FromLong(0);
    state->no_text = PyUnicode_InternFromString("");
    state->no_bytes = PyBytes_FromStringAndSize(NULL, 0);
    state->no_items = PyTuple_New(0);
    return PyErr_Occurred() ? -1 : 0;
}

static int
tree_nodes_traverse(PyObject *module, visitproc visit, void *arg)
{
    TreeNodesState *state = PyModule_GetState(module);
    for (int i = 0; i < LAST; i++)
        Py_VISIT(state->keys[i]);
    Py_VISIT(state->target_raw);
    Py_VISIT(state->zero);
    Py_VISIT(state->no_text);
    Py_VISIT(state->no_bytes);
    Py_VISIT(state->no_items);
    return 0;
}

static int
tree_nodes_clear(PyObject *module)
{
    TreeNodesState *state = PyModule_GetState(module);
    for (int i = 0; i < LAST; i++)
        Py_CLEAR(state->keys[i]);
    Py_CLEAR(state->target_raw);
    Py_CLEAR(state->zero);
    Py_CLEAR(state->no_text);
    Py_CLEAR(state->no_bytes);
    Py_CLEAR(state->no_items);
    return 0;
}

static void
tree_nodes_free(void *module)
{
    tree_nodes_clear(module);
}

static PyModuleDef_Slot tree_nodes_slots[] = {{Py_mod_exec, tree_nodes_exec}, MODULE_SLOTS};

static struct PyModuleDef tree_nodes_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "nightsafe._native.tree_nodes",
    .m_doc = "Plain nodes.",
    .m_size = sizeof(TreeNodesState),
    .m_methods = tree_nodes_methods,
    .m_slots = tree_nodes_slots,
    .m_traverse = tree_nodes_traverse,
    .m_clear = tree_nodes_clear,
    .m_free = tree_nodes_free,
};

MODULE_INIT(tree_nodes, tree_nodes_module)
