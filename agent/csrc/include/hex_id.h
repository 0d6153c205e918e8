/* Ids as JSON has them: 64 hexadecimal digits, in small letters only. */
#ifndef NIGHTSAFE_HEX_ID_H
#define NIGHTSAFE_HEX_ID_H

#include <Python.h>
#include <stdint.h>

enum { HEX_ID_SIZE = 32 };

static inline int
hex_id_digit(char letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* The bytes that 2 * HEX_ID_SIZE digits stand for; NULL without an exception if they are none, and
 * with one if memory is short. */
static inline PyObject *
hex_id_read(const char *text)
{
    uint8_t id[HEX_ID_SIZE];
    for (int i = 0; i < HEX_ID_SIZE; i++) {
        int high = hex_id_digit(text[2 * i]), low = hex_id_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return NULL;
        id[i] = (uint8_t)(high << 4 | low);
    }
    return PyBytes_FromStringAndSize((const char *)id, HEX_ID_SIZE);
}

#endif
