/* Whether files hold what they should, for many in one call.
 *
 * nightsafe.file_restorer.match does the same with the library when this extension is missing, or
 * the processor has no instructions for SHA-256.
 */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "module.h"
#include "sha256_mb.h"

enum { OTHER = 0, SAME = 1, TO_SET = 2 }; /* as in nightsafe.file_restorer.match */
enum { AT_ONCE = 64, NAMES = 1024 };
#define ROOM ((size_t)6 << 20)
#define ENOUGH ((size_t)512 << 10)

/* What is asked of one file: blobs of these ids and lengths from `position` on, and the rest. */
typedef struct {
    const char *name;
    const uint8_t *ids;
    const uint64_t *lengths;
    size_t blobs;
    uint64_t position, size, links;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    struct timespec modified;
    int has_attributes;
} File;

/* Blobs that were read and are hashed together. */
typedef struct {
    uint8_t *room;
    size_t room_size, used, count;
    Sha256Message messages[AT_ONCE];
    const uint8_t *wanted[AT_ONCE];
    uint8_t *verdicts[AT_ONCE];
    uint8_t digests[AT_ONCE][SHA256_DIGEST];
} Batch;

typedef struct {
    uint8_t *spare_room; /* which no call uses now; taken and given back under Python's lock */
} FileMatchState;

static void
file_match_flush(Batch *batch)
{
    sha256_mb_digest(batch->messages, batch->count);
    for (size_t i = 0; i < batch->count; i++)
        if (memcmp(batch->digests[i], batch->wanted[i], SHA256_DIGEST) != 0)
            *batch->verdicts[i] = OTHER;
    batch->count = batch->used = 0;
}

/* Reads one blob into the batch; false if that is not possible, or there are fewer bytes. */
static int
file_match_take(Batch *batch, int fd, uint64_t position, size_t length, const uint8_t *id,
                uint8_t *verdict)
{
    if (batch->count == AT_ONCE || batch->used + length > ROOM)
        file_match_flush(batch);
    if (length > batch->room_size) { /* so large that it is alone */
        uint8_t *room = realloc(batch->room, length);
        if (room == NULL)
            return 0;
        batch->room = room;
        batch->room_size = length;
    }
    uint8_t *at = batch->room + batch->used;
    for (size_t held = 0; held < length;) {
        ssize_t count = pread(fd, at + held, length - held, (off_t)(position + held));
        if (count <= 0)
            return 0;
        held += (size_t)count;
    }
    size_t number = batch->count++;
    batch->messages[number] =
        (Sha256Message){.data = at, .size = length, .digest = batch->digests[number]};
    batch->wanted[number] = id;
    batch->verdicts[number] = verdict;
    batch->used += length;
    /* Three are as quick to hash together as more, and so caches still hold them. */
    if (batch->used > ENOUGH && batch->count % SHA256_LANES == 0)
        file_match_flush(batch);
    return 1;
}

static int
file_match_open_quietly(int folder, const char *name)
{
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = openat(folder, name, flags | O_NOATIME);
    return fd < 0 && errno == EPERM ? openat(folder, name, flags) : fd;
}

/* Whether a file has attributes that people set, or too many to tell; others are the system's. */
static int
file_match_has_attributes(int fd)
{
    char names[NAMES];
    ssize_t size = flistxattr(fd, names, sizeof names);
    if (size < 0)
        return errno == ERANGE;
    for (const char *name = names; name < names + size; name += strlen(name) + 1)
        if (strncmp(name, "user.", 5) == 0 || strncmp(name, "system.posix_acl", 16) == 0)
            return 1;
    return 0;
}

static int
file_match_is_described(int fd, const File *file, const struct stat *found)
{
    return found->st_uid == file->uid && found->st_gid == file->gid &&
           (found->st_mode & 07777) == file->mode && !file->has_attributes &&
           found->st_mtim.tv_sec == file->modified.tv_sec &&
           found->st_mtim.tv_nsec == file->modified.tv_nsec && !file_match_has_attributes(fd);
}

static void
file_match_compare_one(int folder, const File *file, Batch *batch, uint8_t *verdict)
{
    struct stat found;
    int fd = file_match_open_quietly(folder, file->name);
    *verdict = OTHER;
    if (fd < 0)
        return;
    if (fstat(fd, &found) == 0 && S_ISREG(found.st_mode) && (uint64_t)found.st_size == file->size &&
        (uint64_t)found.st_nlink <= file->links) {
        uint64_t position = file->position;
        size_t blob = 0;
        *verdict = file_match_is_described(fd, file, &found) ? SAME : TO_SET;
        for (; blob < file->blobs && *verdict != OTHER; blob++) {
            if (!file_match_take(batch, fd, position, file->lengths[blob],
                                 file->ids + blob * SHA256_DIGEST, verdict))
                *verdict = OTHER;
            position += file->lengths[blob];
        }
    }
    close(fd);
}

static int
file_match_read_file(PyObject *given, File *file)
{
    Py_ssize_t ids, lengths, name;
    long long modified;
    unsigned long mode, uid, gid;
    const char *id_bytes, *length_bytes;
    unsigned long long position, size, links;
    PyObject *atime; /* which is not compared: to read a file may change it */
    if (!PyArg_ParseTuple(given, "y#Ky#y#KKkkkLpO", &file->name, &name, &position, &id_bytes, &ids,
                          &length_bytes, &lengths, &size, &links, &mode, &uid, &gid, &modified,
                          &file->has_attributes, &atime))
        return 0;
    if (ids % SHA256_DIGEST || lengths != ids / SHA256_DIGEST * (Py_ssize_t)sizeof(uint64_t) ||
        strlen(file->name) != (size_t)name || strchr(file->name, '/') != NULL) {
        PyErr_SetString(PyExc_ValueError, "What is asked of a file is not sound.");
        return 0;
    }
    file->ids = (const uint8_t *)id_bytes;
    file->lengths = (const uint64_t *)(const void *)length_bytes;
    file->blobs = (size_t)(ids / SHA256_DIGEST);
    file->position = position;
    file->size = size;
    file->links = links;
    file->mode = (mode_t)mode;
    file->uid = (uid_t)uid;
    file->gid = (gid_t)gid;
    long long seconds = modified / 1000000000 - (modified % 1000000000 < 0);
    file->modified.tv_sec = (time_t)seconds;
    file->modified.tv_nsec = (long)(modified - seconds * 1000000000);
    return 1;
}

static void
file_match_compare_all(int folder, const File *files, Py_ssize_t count, Batch *batch,
                       uint8_t *verdicts)
{
    for (Py_ssize_t i = 0; i < count; i++)
        file_match_compare_one(folder, &files[i], batch, &verdicts[i]);
    file_match_flush(batch);
}

/* compare(folder, files): a verdict on each, as bytes. */
static PyObject *
file_match_compare(PyObject *module, PyObject *args)
{
    FileMatchState *state = PyModule_GetState(module);
    int folder;
    PyObject *given;
    if (!PyArg_ParseTuple(args, "iO!", &folder, &PyList_Type, &given))
        return NULL;
    /* Nobody else can change this one while other threads run. */
    PyObject *list = PyList_GetSlice(given, 0, PyList_GET_SIZE(given));
    if (list == NULL)
        return NULL;
    Py_ssize_t count = PyList_GET_SIZE(list), held = 0;
    File *files = PyMem_Calloc((size_t)count + 1, sizeof *files);
    Batch *batch = PyMem_Calloc(1, sizeof *batch);
    PyObject *verdicts = PyBytes_FromStringAndSize(NULL, count);
    if (batch != NULL) {
        batch->room = state->spare_room != NULL ? state->spare_room : malloc(ROOM);
        state->spare_room = NULL;
    }
    if (files == NULL || batch == NULL || batch->room == NULL)
        PyErr_NoMemory();
    else if (verdicts != NULL)
        while (held < count && file_match_read_file(PyList_GET_ITEM(list, held), &files[held]))
            held++;
    if (!PyErr_Occurred()) {
        uint8_t *to = (uint8_t *)PyBytes_AS_STRING(verdicts);
        batch->room_size = ROOM;
        Py_BEGIN_ALLOW_THREADS
        file_match_compare_all(folder, files, count, batch, to);
        Py_END_ALLOW_THREADS
    } else {
        Py_CLEAR(verdicts);
    }
    if (batch != NULL && batch->room_size <= ROOM && state->spare_room == NULL)
        state->spare_room = batch->room;
    else if (batch != NULL)
        free(batch->room);
    PyMem_Free(batch);
    PyMem_Free(files);
    Py_DECREF(list);
    return verdicts;
}

static PyMethodDef file_match_methods[] = {
    {"compare", file_match_compare, METH_VARARGS,
     "compare(folder, files): a verdict on each, as bytes."},
    {NULL, NULL, 0, NULL},
};

static int
file_match_exec(PyObject *module)
{
    (void)module;
    if (sha256_mb_is_supported())
        return 0;
    PyErr_SetString(PyExc_ImportError, "This processor has no instructions for SHA-256.");
    return -1;
}

static void
file_match_free(void *module)
{
    FileMatchState *state = PyModule_GetState(module);
    free(state->spare_room);
}

static PyModuleDef_Slot file_match_slots[] = {{Py_mod_exec, file_match_exec}, MODULE_SLOTS};

static struct PyModuleDef file_match_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "nightsafe._native.file_match",
    .m_doc = "Whether files hold what they should.",
    .m_size = sizeof(FileMatchState),
    .m_methods = file_match_methods,
    .m_slots = file_match_slots,
    .m_free = file_match_free,
};

MODULE_INIT(file_match, file_match_module)
