/* Small new files of one folder, many in one call: read, hashed, claimed, compressed, sealed and
 * noted, as long as nothing about them is special. nightsafe.file_saver.worker does all of it in Python for
 * what is left over here, or when this extension is missing.
 */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>
#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "sha256_mb.h"
#include "status.h"

enum { ID = DIGEST, OVERHEAD = 32, PLAIN_ENTRY = 37, ENTRY = 41, STAMPS = 64, PACKS = 2 };

/* So many files are read and hashed before the first of them is stored, as long as they fit a
 * processor's cache: hashing several side by side takes half of the time. */
enum { BATCH = 16, BATCH_BYTES = 256 << 10 };

static PyTypeObject *StatusType;
static PyObject *is_new, *name_view, *name_size, *name_count, *name_header;

typedef struct {
    char *text;
    size_t size, room;
} Text;

/* A second, and how it stands in a node: before the fraction, and after it. */
typedef struct {
    long long second;
    int is_set;
    char stamp[40], zone[16];
} Stamp;

/* An open pack while files are being gathered into it. */
typedef struct {
    PyObject *pack, *view, *header;
    Py_ssize_t room, size, count, fresh;
} Target;

typedef struct {
    PyObject_HEAD
    PyObject *claim, *put, *compress, *decompress, *refuse, *stamp_of, *owner_of;
    Py_buffer room;
    EVP_MD *kind;
    EVP_MD_CTX *hash;
    Text nodes;
    Stamp stamps[STAMPS];
    unsigned long long mode, uid, gid;
    PyObject *owner; /* (text of the mode, text of the owner) for the three above, or NULL */
    uint8_t chances[256];
    size_t chance;
    int has_lanes;
} Gatherer;

/* A file that was read to `start` in the room. */
typedef struct {
    PyObject *entry, *name; /* the name is the entry's */
    const char *path;
    const Status *status;
    Py_ssize_t start, size;
    uint8_t id[ID];
} Candidate;

/* One call's state. */
typedef struct {
    Gatherer *self;
    PyObject *seen, *done;
    Target targets[PACKS];
    Py_ssize_t full, most, blobs, bytes, limit;
    int folder, filled;
    size_t lead;
    Candidate batch[BATCH];
    int count;
} Run;

/* Text */

static int
need(Text *to, size_t size)
{
    if (to->room - to->size >= size)
        return 1;
    size_t room = (to->size + size) * 2;
    char *text = PyMem_RawRealloc(to->text, room);
    if (text == NULL) {
        PyErr_NoMemory();
        return 0;
    }
    to->text = text;
    to->room = room;
    return 1;
}

/* These have room already. */
static void
add(Text *to, const char *text, size_t size)
{
    memcpy(to->text + to->size, text, size);
    to->size += size;
}

#define ADD(to, literal) add(to, literal, sizeof literal - 1)

static void
add_number(Text *to, unsigned long long number)
{
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    add(to, digits + at, sizeof digits - at);
}

static void
add_fraction(Text *to, long long nanoseconds)
{
    char digits[10] = ".";
    int last = 0;
    for (int i = 9; i > 0; i--) {
        digits[i] = (char)('0' + nanoseconds % 10);
        nanoseconds /= 10;
        if (digits[i] != '0' && last == 0)
            last = i;
    }
    if (last)
        add(to, digits, (size_t)last + 1);
}

static void
add_hex(Text *to, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        to->text[to->size++] = digits[bytes[i] >> 4];
        to->text[to->size++] = digits[bytes[i] & 15];
    }
}

/* What Python knows of times and owners, remembered */

static int
copy_text(PyObject *pair, Py_ssize_t index, char *to, size_t room)
{
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(pair, index), &size);
    if (text == NULL)
        return 0;
    if ((size_t)size >= room) {
        PyErr_SetString(PyExc_ValueError, "A time is too long.");
        return 0;
    }
    memcpy(to, text, (size_t)size + 1);
    return 1;
}

static int
is_pair(PyObject *value)
{
    if (PyTuple_CheckExact(value) && PyTuple_GET_SIZE(value) == 2 &&
        PyUnicode_CheckExact(PyTuple_GET_ITEM(value, 0)) &&
        PyUnicode_CheckExact(PyTuple_GET_ITEM(value, 1)))
        return 1;
    PyErr_SetString(PyExc_TypeError, "Two texts are wanted.");
    return 0;
}

static const Stamp *
stamp_at(Gatherer *self, long long second)
{
    Stamp *stamp = &self->stamps[(unsigned long long)second % STAMPS];
    if (stamp->is_set && stamp->second == second)
        return stamp;
    stamp->is_set = 0;
    PyObject *pair = PyObject_CallFunction(self->stamp_of, "L", second);
    if (pair == NULL)
        return NULL;
    if (is_pair(pair) && copy_text(pair, 0, stamp->stamp, sizeof stamp->stamp) &&
        copy_text(pair, 1, stamp->zone, sizeof stamp->zone)) {
        stamp->second = second;
        stamp->is_set = 1;
    }
    Py_DECREF(pair);
    return stamp->is_set ? stamp : NULL;
}

static int
add_time(Gatherer *self, const struct timespec *time)
{
    const Stamp *stamp = stamp_at(self, time->tv_sec);
    if (stamp == NULL)
        return 0;
    add(&self->nodes, stamp->stamp, strlen(stamp->stamp));
    add_fraction(&self->nodes, time->tv_nsec);
    add(&self->nodes, stamp->zone, strlen(stamp->zone));
    return 1;
}

static int
know_owner(Gatherer *self, const Status *status)
{
    if (self->owner != NULL && self->mode == status->mode && self->uid == status->uid &&
        self->gid == status->gid)
        return 1;
    Py_CLEAR(self->owner);
    PyObject *pair =
        PyObject_CallFunction(self->owner_of, "KKK", status->mode, status->uid, status->gid);
    if (pair == NULL || !is_pair(pair)) {
        Py_XDECREF(pair);
        return 0;
    }
    self->owner = pair;
    self->mode = status->mode;
    self->uid = status->uid;
    self->gid = status->gid;
    return 1;
}

/* Nodes, byte for byte as nightsafe.file_saver.node_json.encode_file makes them */

/* Names that neither Go's quoting nor JSON changes. */
static int
is_plain(PyObject *name)
{
    const unsigned char *text = (const unsigned char *)PyBytes_AS_STRING(name);
    for (Py_ssize_t i = 0; i < PyBytes_GET_SIZE(name); i++)
        if (text[i] < ' ' || text[i] > '~' || strchr("\"&<>\\", text[i]) != NULL)
            return 0;
    return 1;
}

static void
add_field(Text *to, const char *name, unsigned long long number)
{
    if (number) {
        add(to, name, strlen(name));
        add_number(to, number);
    }
}

/* `id` is NULL for an empty file. */
static int
add_node(Gatherer *self, PyObject *name, const Status *status, const uint8_t *id)
{
    Text *to = &self->nodes;
    Py_ssize_t mode_size, owner_size;
    if (!know_owner(self, status))
        return 0;
    const char *mode = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(self->owner, 0), &mode_size);
    const char *owner = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(self->owner, 1), &owner_size);
    if (mode == NULL || owner == NULL ||
        !need(to, 700 + (size_t)(PyBytes_GET_SIZE(name) + mode_size + owner_size)))
        return 0;
    if (to->size)
        ADD(to, ",");
    ADD(to, "{\"name\":\"");
    add(to, PyBytes_AS_STRING(name), (size_t)PyBytes_GET_SIZE(name));
    ADD(to, "\",\"type\":\"file\"");
    add(to, mode, (size_t)mode_size);
    ADD(to, ",\"mtime\":\"");
    size_t start = to->size;
    if (!add_time(self, &status->mtime))
        return 0;
    size_t length = to->size - start;
    ADD(to, "\",\"atime\":\"");
    add(to, to->text + start, length);
    ADD(to, "\",\"ctime\":\"");
    if (!add_time(self, &status->ctime))
        return 0;
    ADD(to, "\"");
    add(to, owner, (size_t)owner_size);
    add_field(to, ",\"inode\":", status->ino);
    add_field(to, ",\"device_id\":", status->dev);
    add_field(to, ",\"size\":", status->size);
    add_field(to, ",\"links\":", status->nlink);
    ADD(to, ",\"content\":[");
    if (id != NULL) {
        ADD(to, "\"");
        add_hex(to, id, ID);
        ADD(to, "\"");
    }
    ADD(to, "]}");
    return 1;
}

/* Blobs */

/* Which pack is next: random, so that the storage does not see what belongs together. */
static int
choose(Gatherer *self, Target **chosen, Target *among)
{
    if (self->chance == sizeof self->chances) {
        if (getrandom(self->chances, sizeof self->chances, 0) != sizeof self->chances) {
            PyErr_SetFromErrno(PyExc_OSError);
            return 0;
        }
        self->chance = 0;
    }
    *chosen = &among[self->chances[self->chance++] % PACKS];
    return 1;
}

static int
note_blob(Target *target, const uint8_t *id, Py_ssize_t sealed, Py_ssize_t plain)
{
    uint8_t entry[ENTRY], *at = entry;
    *at++ = plain ? 2 : 0;
    for (int i = 0; i < 4; i++)
        *at++ = (uint8_t)(sealed >> (8 * i));
    for (int i = 0; plain && i < 4; i++)
        *at++ = (uint8_t)(plain >> (8 * i));
    memcpy(at, id, ID);
    Py_ssize_t held = PyByteArray_GET_SIZE(target->header), size = plain ? ENTRY : PLAIN_ENTRY;
    if (PyByteArray_Resize(target->header, held + size) < 0)
        return 0;
    memcpy(PyByteArray_AS_STRING(target->header) + held, entry, (size_t)size);
    return 1;
}

/* Compresses and seals `plain` behind what the pack has; returns where it ends, or -1. */
static Py_ssize_t
seal(Gatherer *self, Target *target, PyObject *plain, Py_ssize_t *plain_length)
{
    PyObject *packed = NULL, *text = plain, *unpack = Py_None, *end = NULL;
    *plain_length = 0;
    if (self->compress != Py_None) {
        packed = PyObject_CallOneArg(self->compress, plain);
        if (packed == NULL)
            return -1;
        if (!PyBytes_CheckExact(packed)) {
            PyErr_SetString(PyExc_TypeError, "compress must return bytes.");
            Py_DECREF(packed);
            return -1;
        }
        Py_ssize_t length = PyMemoryView_GET_BUFFER(plain)->len;
        if (PyBytes_GET_SIZE(packed) < length) {
            text = packed;
            unpack = self->decompress;
            *plain_length = length;
        }
    }
    PyObject *start = PyLong_FromSsize_t(target->size);
    if (start != NULL) {
        PyObject *args[] = {target->view, start, text, plain, unpack};
        end = PyObject_Vectorcall(self->put, args, 5, NULL);
        Py_DECREF(start);
    }
    Py_XDECREF(packed);
    if (end == Py_None) { /* it did not open again */
        Py_DECREF(end);
        end = PyObject_CallNoArgs(self->refuse);
    }
    if (end == NULL)
        return -1;
    Py_ssize_t stop = PyLong_AsSsize_t(end);
    Py_DECREF(end);
    return stop;
}

/* Stores a file's content if its id is new. */
static int
store(Run *run, Target *target, const Candidate *file)
{
    Gatherer *self = run->self;
    PyObject *key = PyBytes_FromStringAndSize((const char *)file->id, ID);
    if (key == NULL)
        return 0;
    PyObject *answer = PyObject_CallOneArg(self->claim, key);
    Py_DECREF(key);
    if (answer == NULL)
        return 0;
    int is_mine = answer == Py_True;
    Py_DECREF(answer);
    if (!is_mine)
        return 1;
    char *content = (char *)self->room.buf + file->start;
    PyObject *plain = PyMemoryView_FromMemory(content, file->size, PyBUF_READ);
    if (plain == NULL)
        return 0;
    Py_ssize_t plain_length, end = seal(self, target, plain, &plain_length);
    Py_DECREF(plain);
    if (end < 0 || !note_blob(target, file->id, end - target->size, plain_length))
        return 0;
    target->size = end;
    target->count++;
    run->blobs++;
    run->bytes += file->size;
    run->filled |= end >= run->full || target->count >= run->most;
    return 1;
}

/* Files */

static int
hash_one(Gatherer *self, Candidate *file)
{
    unsigned int length = 0;
    return EVP_DigestInit_ex2(self->hash, self->kind, NULL) &&
           EVP_DigestUpdate(self->hash, (char *)self->room.buf + file->start,
                            (size_t)file->size) &&
           EVP_DigestFinal_ex(self->hash, file->id, &length) && length == ID;
}

static int
hash_batch(Run *run)
{
    Message messages[BATCH];
    int is_done = 1;
    for (int i = 0; i < run->count; i++) {
        Candidate *file = &run->batch[i];
        messages[i] = (Message){.data = (uint8_t *)run->self->room.buf + file->start,
                                .size = (size_t)file->size,
                                .digest = file->id};
        if (!run->self->has_lanes)
            is_done = is_done && hash_one(run->self, file);
    }
    if (run->self->has_lanes)
        digest_all(messages, (size_t)run->count);
    return is_done;
}

/* Reads and hashes the batch, which ends before a file that is not for here. Needs no lock. */
static int
read_batch(Run *run)
{
    for (int i = 0; i < run->count; i++) {
        Candidate *file = &run->batch[i];
        Content content = {.data = (char *)run->self->room.buf + file->start, .size = file->size};
        if (!read_whole(run->folder, file->path + run->lead, file->status, &content) ||
            content.has_xattrs)
            run->count = i;
    }
    return hash_batch(run);
}

static int
note_done(Run *run, PyObject *name, const Status *status)
{
    PyObject *done = Py_BuildValue("OOK", name, is_new, status->size);
    int is_noted = done != NULL && PyList_Append(run->done, done) == 0;
    Py_XDECREF(done);
    return is_noted;
}

/* Whether an entry is a small file as far as its status tells; if so it is the next candidate. */
static int
take_candidate(Run *run, PyObject *entry, Py_ssize_t start)
{
    PyObject *name = PyTuple_GET_ITEM(entry, 0), *path = PyTuple_GET_ITEM(entry, 1);
    const Status *status = (const Status *)PyTuple_GET_ITEM(entry, 2);
    if (!Py_IS_TYPE((PyObject *)status, StatusType))
        return 0; /* somebody else has looked */
    /* All are names in one folder; of any other path nothing is known here. */
    if (run->lead && PyBytes_GET_SIZE(path) - PyBytes_GET_SIZE(name) != (Py_ssize_t)run->lead)
        return 0;
    if (!S_ISREG(status->mode) || status->size > (unsigned long long)run->limit || !is_plain(name))
        return 0;
    Py_ssize_t size = (Py_ssize_t)status->size;
    if (start && start + size > BATCH_BYTES)
        return 0;
    Py_INCREF(entry); /* others may change the list while they have their turn */
    run->batch[run->count++] = (Candidate){.entry = entry,
                                           .name = name,
                                           .path = PyBytes_AS_STRING(path),
                                           .status = status,
                                           .start = start,
                                           .size = size};
    return 1;
}

/* The files that may be gathered from `index` on; 0 if what is there is not an entry. */
static int
choose_batch(Run *run, Py_ssize_t index)
{
    Py_ssize_t start = 0;
    run->count = 0;
    for (; run->count < BATCH && index < PyList_GET_SIZE(run->seen); index++) {
        PyObject *entry = PyList_GET_ITEM(run->seen, index);
        if (!PyTuple_CheckExact(entry) || PyTuple_GET_SIZE(entry) != 3 ||
            !PyBytes_CheckExact(PyTuple_GET_ITEM(entry, 0)) ||
            !PyBytes_CheckExact(PyTuple_GET_ITEM(entry, 1))) {
            PyErr_SetString(PyExc_TypeError, "An entry is a name, a path and a Status.");
            return 0;
        }
        if (!take_candidate(run, entry, start))
            break;
        start += run->batch[run->count - 1].size;
    }
    return 1;
}

/* 1: the file is stored. 0: it is not for here. -1: an error. */
static int
store_file(Run *run, const Candidate *file)
{
    Target *target;
    if (!choose(run->self, &target, run->targets))
        return -1;
    if (target->size + file->size + OVERHEAD > target->room)
        return 0;
    if (file->size && !store(run, target, file))
        return -1;
    return add_node(run->self, file->name, file->status, file->size ? file->id : NULL) &&
                   note_done(run, file->name, file->status)
               ? 1
               : -1;
}

/* Gathers some files from `*at` on. 1: go on. 0: the next is not for here. -1: an error. */
static int
gather_batch(Run *run, Py_ssize_t *at)
{
    int is_hashed, outcome = 1, stored = 0;
    if (!choose_batch(run, *at))
        outcome = -1;
    const int chosen = run->count;
    if (outcome == 1) {
        Py_BEGIN_ALLOW_THREADS
        is_hashed = read_batch(run);
        Py_END_ALLOW_THREADS
        if (!is_hashed) {
            PyErr_SetString(PyExc_RuntimeError,
                            "OpenSSL failed while hashing; please report this.");
            outcome = -1;
        }
    }
    while (outcome == 1 && stored < run->count && !run->filled) {
        outcome = store_file(run, &run->batch[stored]);
        stored += outcome == 1;
    }
    if (outcome == 1 && stored == run->count && (run->count < chosen || chosen == 0))
        outcome = 0;
    for (int i = 0; i < chosen; i++)
        Py_DECREF(run->batch[i].entry);
    *at += stored;
    return outcome;
}

/* Opens the folder that the entry is in, so that it is looked up once for all. */
static void
open_folder(Run *run, Py_ssize_t index)
{
    char folder[PATH_MAX];
    run->folder = AT_FDCWD;
    run->lead = 0;
    if (index >= PyList_GET_SIZE(run->seen))
        return;
    PyObject *entry = PyList_GET_ITEM(run->seen, index);
    if (!PyTuple_CheckExact(entry) || PyTuple_GET_SIZE(entry) != 3 ||
        !PyBytes_CheckExact(PyTuple_GET_ITEM(entry, 1)))
        return;
    const char *path = PyBytes_AS_STRING(PyTuple_GET_ITEM(entry, 1));
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    if (length < 2 || length >= sizeof folder)
        return;
    memcpy(folder, path, length);
    folder[length] = 0;
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        run->folder = fd;
        run->lead = length;
    }
}

/* Packs */

static Py_ssize_t
number_of(PyObject *pack, PyObject *name)
{
    PyObject *value = PyObject_GetAttr(pack, name);
    if (value == NULL)
        return -1;
    Py_ssize_t number = PyLong_AsSsize_t(value);
    Py_DECREF(value);
    return number;
}

static int
take_pack(Target *target, PyObject *pack)
{
    target->pack = pack;
    target->view = PyObject_GetAttr(pack, name_view);
    target->header = PyObject_GetAttr(pack, name_header);
    target->size = number_of(pack, name_size);
    target->count = number_of(pack, name_count);
    if (PyErr_Occurred())
        return 0;
    if (target->view == NULL || !PyMemoryView_Check(target->view) || target->header == NULL ||
        !PyByteArray_CheckExact(target->header) || target->size < 0) {
        PyErr_SetString(PyExc_TypeError, "An open pack has a view and a header.");
        return 0;
    }
    target->room = PyMemoryView_GET_BUFFER(target->view)->len;
    return 1;
}

static int
set_number(PyObject *pack, PyObject *name, Py_ssize_t number)
{
    PyObject *value = PyLong_FromSsize_t(number);
    int is_set = value != NULL && PyObject_SetAttr(pack, name, value) == 0;
    Py_XDECREF(value);
    return is_set;
}

static int
give_pack_back(Target *target)
{
    int is_done = set_number(target->pack, name_size, target->size) &&
                  set_number(target->pack, name_count, target->count);
    return is_done;
}

static void
drop_pack(Target *target)
{
    Py_CLEAR(target->view);
    Py_CLEAR(target->header);
}

/* gather(seen, start, packs, full, most, done): gather files from `start` on until something is
 * not for here, or a pack is full. Returns where that is, the nodes' JSON with commas between,
 * and how many blobs and bytes were new; each file is noted in `done`. */
static PyObject *
gatherer_gather(Gatherer *self, PyObject *const *args, Py_ssize_t count)
{
    Run run = {.self = self, .limit = self->room.len - 1};
    if (count != 6 || !PyList_CheckExact(args[0]) || !PyList_CheckExact(args[2]) ||
        PyList_GET_SIZE(args[2]) != PACKS || !PyList_CheckExact(args[5])) {
        PyErr_SetString(PyExc_TypeError, "gather takes a list, a start, two packs, two bounds and "
                                         "a list.");
        return NULL;
    }
    Py_ssize_t at = PyLong_AsSsize_t(args[1]);
    run.full = PyLong_AsSsize_t(args[3]);
    run.most = PyLong_AsSsize_t(args[4]);
    if (PyErr_Occurred())
        return NULL;
    if (self->hash == NULL || at < 0) {
        PyErr_SetString(PyExc_ValueError, "There is nothing to gather.");
        return NULL;
    }
    run.seen = args[0];
    run.done = args[5];
    self->nodes.size = 0;
    int outcome = 1;
    for (int i = 0; i < PACKS; i++)
        if (!take_pack(&run.targets[i], PyList_GET_ITEM(args[2], i)))
            outcome = -1;
    if (outcome == 1) {
        open_folder(&run, at);
        while (outcome == 1 && !run.filled && at < PyList_GET_SIZE(run.seen))
            outcome = gather_batch(&run, &at);
        if (run.lead)
            close(run.folder);
        for (int i = 0; outcome != -1 && i < PACKS; i++)
            if (!give_pack_back(&run.targets[i]))
                outcome = -1;
    }
    for (int i = 0; i < PACKS; i++)
        drop_pack(&run.targets[i]);
    if (outcome == -1)
        return NULL;
    return Py_BuildValue("ny#nn", at, self->nodes.text == NULL ? "" : self->nodes.text,
                         (Py_ssize_t)self->nodes.size, run.blobs, run.bytes);
}

static int
gatherer_init(Gatherer *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"room",   "claim",    "put",      "compress",  "decompress",
                            "refuse", "stamp_of", "owner_of", "has_lanes", NULL};
    PyObject *room, *calls[7];
    int has_lanes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOOOOOp:Gatherer", names, &room, &calls[0],
                                     &calls[1], &calls[2], &calls[3], &calls[4], &calls[5],
                                     &calls[6], &has_lanes))
        return -1;
    if (self->hash != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "A gatherer is made once.");
        return -1;
    }
    if (PyObject_GetBuffer(room, &self->room, PyBUF_WRITABLE) < 0)
        return -1;
    PyObject **targets[] = {&self->claim,  &self->put,      &self->compress, &self->decompress,
                            &self->refuse, &self->stamp_of, &self->owner_of};
    for (int i = 0; i < 7; i++) {
        Py_INCREF(calls[i]);
        Py_XSETREF(*targets[i], calls[i]);
    }
    self->chance = sizeof self->chances;
    self->has_lanes = has_lanes && can_digest();
    self->kind = EVP_MD_fetch(NULL, "SHA256", NULL);
    self->hash = self->kind == NULL ? NULL : EVP_MD_CTX_new();
    if (self->hash != NULL)
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "OpenSSL has no SHA-256; please report this.");
    return -1;
}

static void
gatherer_dealloc(Gatherer *self)
{
    PyBuffer_Release(&self->room);
    EVP_MD_CTX_free(self->hash);
    EVP_MD_free(self->kind);
    PyMem_RawFree(self->nodes.text);
    Py_XDECREF(self->claim);
    Py_XDECREF(self->put);
    Py_XDECREF(self->compress);
    Py_XDECREF(self->decompress);
    Py_XDECREF(self->refuse);
    Py_XDECREF(self->stamp_of);
    Py_XDECREF(self->owner_of);
    Py_XDECREF(self->owner);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef gatherer_methods[] = {
    {"gather", (PyCFunction)(void (*)(void))gatherer_gather, METH_FASTCALL,
     "gather(seen, start, packs, full, most, done): where it stopped, nodes, new blobs, bytes."},
    {NULL},
};

static PyTypeObject GathererType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "nightsafe._native.small_files.Gatherer",
    .tp_basicsize = sizeof(Gatherer),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "Stores small files. One instance per thread.",
    .tp_methods = gatherer_methods,
    .tp_init = (initproc)gatherer_init,
    .tp_dealloc = (destructor)gatherer_dealloc,
    .tp_new = PyType_GenericNew,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "nightsafe._native.small_files", .m_doc = "Small files.", .m_size = -1};

static int
find_status(void)
{
    PyObject *look = PyImport_ImportModule("nightsafe._native.stat");
    if (look == NULL)
        return 0;
    StatusType = (PyTypeObject *)PyObject_GetAttrString(look, "Status");
    Py_DECREF(look);
    if (StatusType == NULL)
        return 0;
    if (PyType_Check(StatusType) && StatusType->tp_basicsize == sizeof(Status))
        return 1;
    PyErr_SetString(PyExc_ImportError, "nightsafe._native.stat is of another version.");
    return 0;
}

PyMODINIT_FUNC
PyInit_small_files(void)
{
    is_new = PyUnicode_InternFromString("new");
    name_view = PyUnicode_InternFromString("view");
    name_size = PyUnicode_InternFromString("size");
    name_count = PyUnicode_InternFromString("count");
    name_header = PyUnicode_InternFromString("header");
    if (!is_new || !name_view || !name_size || !name_count || !name_header || !find_status() ||
        PyType_Ready(&GathererType) < 0)
        return NULL;
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && PyModule_AddObjectRef(made, "Gatherer", (PyObject *)&GathererType) < 0)
        Py_CLEAR(made);
    return made;
}
