/* A folder's names in order, and the record that stands for what lstat says of its entries. */
#ifndef NIGHTSAFE_LISTING_H
#define NIGHTSAFE_LISTING_H

#include <Python.h>
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "status.h"

enum { LISTING_FIELDS = 10 };

static inline uint8_t *
listing_put_number(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (8 * i));
    return at + 8;
}

/* The lower 64 bits of a time in nanoseconds. */
static inline uint64_t
listing_time(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

static inline uint8_t *
listing_put(uint8_t *at, const char *name, size_t length, const Status *status)
{
    at = listing_put_number(at, length);
    memcpy(at, name, length);
    at += length;
    const uint64_t numbers[LISTING_FIELDS] = {
        status->mode,
        status->size,
        status->ino,
        status->uid,
        status->gid,
        status->nlink,
        status->dev,
        status->rdev,
        listing_time(&status->mtime),
        listing_time(&status->ctime),
    };
    for (int i = 0; i < LISTING_FIELDS; i++)
        at = listing_put_number(at, numbers[i]);
    return at;
}

/* A folder as it is now. `joined` are its names in order, each with a zero at its end; the first
 * `count` of `names` point into it, and `record` is the text of `record()`. */
typedef struct {
    char *joined;
    size_t held, room;
    char **names;
    Py_ssize_t count;
    uint8_t *record;
    size_t record_size;
    uint8_t *is_folder;
} Listing;

static inline void
listing_free(Listing *it)
{
    free(it->joined);
    free(it->names);
    free(it->record);
    free(it->is_folder);
}

static inline int
listing_by_name(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

/* Appends a name; 0 or an errno. */
static inline int
listing_add(Listing *it, const char *name)
{
    size_t size = strlen(name) + 1;
    if (it->held + size > it->room) {
        size_t room = 2 * (it->held + size) + 4096;
        char *larger = realloc(it->joined, room);
        if (larger == NULL)
            return ENOMEM;
        it->joined = larger;
        it->room = room;
    }
    memcpy(it->joined + it->held, name, size);
    it->held += size;
    it->count++;
    return 0;
}

/* Reads the names, at most one more than `most`; 0 or an errno. */
static inline int
listing_names(Listing *it, DIR *folder, Py_ssize_t most)
{
    while (it->count <= most) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL)
            return errno;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int error = listing_add(it, entry->d_name);
        if (error)
            return error;
    }
    return 0;
}

/* Puts the names in order; 0 or an errno. */
static inline int
listing_sort(Listing *it)
{
    char *sorted = malloc(it->held + 1);
    it->names = malloc(((size_t)it->count + 1) * sizeof *it->names);
    if (sorted == NULL || it->names == NULL) {
        free(sorted);
        return ENOMEM;
    }
    char *at = it->joined;
    for (Py_ssize_t i = 0; i < it->count; i++, at += strlen(at) + 1)
        it->names[i] = at;
    qsort(it->names, (size_t)it->count, sizeof *it->names, listing_by_name);
    at = sorted;
    for (Py_ssize_t i = 0; i < it->count; i++) {
        size_t size = strlen(it->names[i]) + 1;
        it->names[i] = memcpy(at, it->names[i], size);
        at += size;
    }
    free(it->joined);
    it->joined = sorted;
    return 0;
}

/* Looks at each entry; 0 or an errno. */
static inline int
listing_look(Listing *it, int folder)
{
    it->record = malloc(it->held + (size_t)it->count * 8 * (LISTING_FIELDS + 1) + 1);
    it->is_folder = malloc((size_t)it->count + 1);
    if (it->record == NULL || it->is_folder == NULL)
        return ENOMEM;
    uint8_t *at = it->record;
    for (Py_ssize_t i = 0; i < it->count; i++) {
        struct stat found;
        Status status;
        if (fstatat(folder, it->names[i], &found, AT_SYMLINK_NOFOLLOW) != 0)
            return errno;
        status_fill(&status, &found);
        it->is_folder[i] = S_ISDIR(found.st_mode) != 0;
        at = listing_put(at, it->names[i], strlen(it->names[i]), &status);
    }
    it->record_size = (size_t)(at - it->record);
    return 0;
}

/* Opens a folder to be listed; where that is allowed, without a trace in its time of access. */
static inline DIR *
listing_open(const char *path)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int fd = -1;
#ifdef O_NOATIME
    fd = open(path, flags | O_NOATIME);
    if (fd < 0 && errno != EPERM)
        return NULL;
#endif
    if (fd < 0)
        fd = open(path, flags);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL && fd >= 0) {
        int error = errno;
        close(fd);
        errno = error;
    }
    return folder;
}

/* All of the above; 0 or an errno. Nothing is looked at if there are more than `most` names. */
static inline int
listing_read(Listing *it, const char *path, Py_ssize_t most)
{
    DIR *folder = listing_open(path);
    if (folder == NULL)
        return errno;
    int error = listing_names(it, folder, most);
    if (!error && it->count <= most)
        error = listing_sort(it);
    if (!error && it->count <= most)
        error = listing_look(it, dirfd(folder));
    closedir(folder);
    return error;
}

#endif
