/* A small restored file from nothing to its own name, in one call.
 *
 * nightsafe.file_restorer.file_writer does the same step by step, and always when this says that it
 * did not.
 */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "module.h"

typedef struct {
    int folder;
    const char *temporary, *name;
    const uint8_t *data;
    size_t size;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    struct timespec times[2];
} File;

static int
file_writer_fill(int fd, const File *file)
{
    size_t written = 0;
    while (written < file->size) {
        ssize_t count = write(fd, file->data + written, file->size - written);
        if (count <= 0)
            return 0;
        written += (size_t)count;
    }
    return 1;
}

/* A mode that gives a group no other rights than everybody, so that it does not matter which. */
static int
file_writer_is_groupless(mode_t mode)
{
    return (mode >> 3 & 7) == (mode & 7) && (mode & S_ISGID) == 0;
}

/* The order matters: a new owner drops set-id bits, and times come last. */
static int
file_writer_describe(int fd, const File *file)
{
    struct stat found;
    mode_t mode = file->mode;
    if (fstat(fd, &found) != 0)
        return 0;
    int is_as_made = (found.st_mode & 07777) == mode;
    if (found.st_uid != file->uid || found.st_gid != file->gid) {
        if (geteuid() == 0) {
            if (fchown(fd, file->uid, file->gid) != 0)
                return 0;
        } else {
            int is_of_group = found.st_gid == file->gid || fchown(fd, (uid_t)-1, file->gid) == 0;
            /* Where the group may not be set, the long way takes its rights away and says so. */
            if (!is_of_group && !file_writer_is_groupless(file->mode))
                return 0;
            if (!is_of_group || found.st_uid != file->uid)
                mode &= ~(mode_t)(S_ISUID | S_ISGID); /* they were meant for others */
        }
    }
    /* Mostly it was made with the mode that it shall have; set-id bits never are among that. */
    return (is_as_made || fchmod(fd, mode) == 0) && futimens(fd, file->times) == 0;
}

/* The mode to make it with. Until it has its own group, another one's members must not open what
 * they may not read in the end, so bits of a group count only if everybody has them. */
static mode_t
file_writer_first_mode(mode_t mode)
{
    mode_t owner = mode >> 6 & 7, group = mode >> 3 & 7, others = mode & 7;
    return group == others && (owner & others) == others ? mode & 0777 : 0600;
}

/* 1 when the file stands under its name; 0 when nothing is left of it. */
static int
file_writer_make(const File *file)
{
    int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(file->folder, file->temporary, flags, file_writer_first_mode(file->mode));
    if (fd < 0)
        return 0;
    int is_done = file_writer_fill(fd, file) && file_writer_describe(fd, file);
    /* What a file system could not write after all, it may say only now. */
    is_done = close(fd) == 0 && is_done;
    if (is_done && renameat(file->folder, file->temporary, file->folder, file->name) == 0)
        return 1;
    unlinkat(file->folder, file->temporary, 0);
    return 0;
}

static int
file_writer_read_name(PyObject *given, const char **name)
{
    char *text;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(given, &text, &size) < 0)
        return -1;
    *name = text;
    /* A name with a separator would leave the folder; the long way says what is wrong with it. */
    return size > 0 && (size_t)size == strlen(text) && strchr(text, '/') == NULL;
}

/* A number from 0 to `most`, or -1 with `is_sound` false or an exception set; nothing is asked of
 * Python any more once there is one. */
static long long
file_writer_read_number(PyObject *given, long long most, int *is_sound)
{
    int overflow = 0;
    if (PyErr_Occurred())
        return -1;
    long long number = PyLong_AsLongLongAndOverflow(given, &overflow);
    if (overflow || number < 0 || number > most)
        *is_sound = 0;
    return number;
}

static struct timespec
file_writer_read_time(PyObject *given, int *is_sound)
{
    int overflow = 0;
    long long ns = PyErr_Occurred() ? -1 : PyLong_AsLongLongAndOverflow(given, &overflow);
    long long seconds = ns / 1000000000;
    if (overflow)
        *is_sound = 0;
    if (ns % 1000000000 < 0)
        seconds--;
    return (struct timespec){.tv_sec = (time_t)seconds,
                             .tv_nsec = (long)(ns - seconds * 1000000000)};
}

/* place(folder, temporary, name, data, mode, uid, gid, atime, mtime): whether it was done. */
static PyObject *
file_writer_place(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    File file;
    Py_buffer data;
    if (count != 9) {
        PyErr_SetString(PyExc_TypeError, "place takes nine arguments.");
        return NULL;
    }
    int is_temporary = file_writer_read_name(args[1], &file.temporary);
    int is_name = is_temporary < 0 ? -1 : file_writer_read_name(args[2], &file.name);
    if (is_name < 0)
        return NULL;
    int is_sound = is_temporary && is_name;
    file.folder = (int)file_writer_read_number(args[0], INT32_MAX, &is_sound);
    file.mode = (mode_t)file_writer_read_number(args[4], 07777, &is_sound);
    file.uid = (uid_t)file_writer_read_number(args[5], UINT32_MAX - 1LL, &is_sound);
    file.gid = (gid_t)file_writer_read_number(args[6], UINT32_MAX - 1LL, &is_sound);
    file.times[0] = file_writer_read_time(args[7], &is_sound);
    file.times[1] = file_writer_read_time(args[8], &is_sound);
    if (PyErr_Occurred() || PyObject_GetBuffer(args[3], &data, PyBUF_SIMPLE) < 0)
        return NULL;
    int is_done = 0;
    if (is_sound) {
        file.data = data.buf;
        file.size = (size_t)data.len;
        Py_BEGIN_ALLOW_THREADS
        is_done = file_writer_make(&file);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&data);
    return PyBool_FromLong(is_done);
}

static PyMethodDef file_writer_methods[] = {
    {"place", (PyCFunction)(void (*)(void))file_writer_place, METH_FASTCALL,
     "place(folder, temporary, name, data, mode, uid, gid, atime, mtime): make a file.\n\n"
     "False, with nothing left behind, if any step did not go well."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot file_writer_slots[] = {MODULE_SLOTS};

static struct PyModuleDef file_writer_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "nightsafe._native.file_writer",
    .m_doc = "Making small files.",
    .m_size = 0,
    .m_methods = file_writer_methods,
    .m_slots = file_writer_slots,
};

MODULE_INIT(file_writer, file_writer_module)
