/* Writes the spans and log records of an OTLP request (opentelemetry-proto 1.x) as MessagePack, the way the records of
 * `otlp_traces.py` and `otlp_logs.py` are: the same names, the same values, in one pass over the bytes.
 *
 * It does what senders do and refuses what they may do besides (a part sent twice, a field of a newer version where it
 * would matter, deep nesting): then, and for every damaged message, the caller takes the general way. Texts are copied
 * as they are; whoever reads the MessagePack checks that they are UTF-8. Nothing here is trusted with memory: this runs
 * as WebAssembly, where a wrong address is the program's own or a trap.
 *
 * Build, here with Zig's clang, which comes as a Python package (ziglang 0.17.1):
 *   python -m ziglang cc -target wasm32-freestanding -O3 -nostdlib -Wall -Wextra -Wl,--no-entry -Wl,--strip-all \
 *     -o otlp.wasm otlp.c && sha256sum otlp.c > otlp.c.sha256
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;
typedef long long i64;

#define EXPORT(name) __attribute__((export_name(#name)))
#define PAGE 65536u
#define DEEPEST 32
#define MOST_SHARED 16384 /* bytes of a resource or scope; they are written to a buffer of 16 times that */
#define MOST_FIELDS 17

/* Wire types of protobuf, and what the tables of messages below add to them. */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5, MANY = 8, REFUSED = 16, IGNORED = 32 };

typedef struct {
    const u8 *at;
    u32 length;
} Text;

typedef struct {
    u64 number;
    Text text;
    u32 wire, times; /* `times`: how often the field was sent */
} Field;

typedef struct {
    u32 count;
    u8 kinds[MOST_FIELDS];
} Message;

static const Message GROUP = {4, {REFUSED, BYTES, BYTES | MANY, BYTES}};
static const Message RESOURCE = {4, {REFUSED, BYTES | MANY, VARINT, REFUSED}};
static const Message SCOPE = {5, {REFUSED, BYTES, BYTES, BYTES | MANY, VARINT}};
static const Message KEY_VALUE = {3, {REFUSED, BYTES, BYTES}};
static const Message ANY_VALUE = {8, {REFUSED, BYTES, VARINT, VARINT, FIXED64, BYTES, BYTES, BYTES}};
static const Message LIST = {2, {REFUSED, BYTES | MANY}};
static const Message STATUS = {4, {REFUSED, IGNORED, BYTES, VARINT}};
static const Message SPAN = {17, {REFUSED, BYTES, BYTES, BYTES, BYTES, BYTES, VARINT, FIXED64, FIXED64, BYTES | MANY, VARINT,
                                  BYTES | MANY, VARINT, BYTES | MANY, VARINT, BYTES, FIXED32}};
static const Message EVENT = {5, {REFUSED, FIXED64, BYTES, BYTES | MANY, VARINT}};
static const Message LINK = {7, {REFUSED, BYTES, BYTES, BYTES, BYTES | MANY, VARINT, FIXED32}};
static const Message LOG = {13, {REFUSED, FIXED64, VARINT, BYTES, IGNORED, BYTES, BYTES | MANY, VARINT, FIXED32, BYTES, BYTES,
                                 FIXED64, BYTES}};

static u8 *out;
static u32 refused;
static u8 shared[2 * 16 * MOST_SHARED];

/* ---- reading ---- */

static u64 varint(Text *from) {
    u64 value = 0;
    for (u32 shift = 0; shift < 64 && from->length; shift += 7) {
        u8 byte = *from->at++;
        from->length--;
        value |= (u64)(byte & 127) << shift;
        if (byte < 128) return value;
    }
    refused = 1;
    return 0;
}

static u64 fixed(Text *from, u32 size) {
    u64 value = 0;
    if (from->length < size) {
        refused = 1;
        return 0;
    }
    __builtin_memcpy(&value, from->at, size);
    from->at += size, from->length -= size;
    return value;
}

/* Reads one field of a message into `field` and returns its number, 0 at the end or when it is to be refused. */
static u32 next(Text *from, Field *field) {
    if (!from->length || refused) return 0;
    u64 tag = varint(from);
    u32 wire = tag & 7;
    field->text.at = 0, field->text.length = 0;
    if (wire == VARINT) field->number = varint(from);
    else if (wire == FIXED64) field->number = fixed(from, 8);
    else if (wire == FIXED32) field->number = fixed(from, 4);
    else if (wire == BYTES) {
        u64 length = varint(from);
        if (length > from->length) refused = 1;
        else field->text.at = from->at, field->text.length = (u32)length, from->at += length, from->length -= (u32)length;
    } else refused = 1;
    if (tag >> 3 == 0 || tag >> 32) refused = 1;
    field->wire = wire;
    return refused ? 0 : (u32)(tag >> 3);
}

/* Reads a whole message into `fields`. Fields that nobody here knows are passed over, as protobuf does. */
static void read(Text message, const Message *kind, Field *fields) {
    for (u32 i = 0; i < kind->count; i++) fields[i].number = fields[i].times = fields[i].text.length = 0;
    Field field;
    for (u32 number; (number = next(&message, &field));) {
        if (number >= kind->count) {
            if (kind == &ANY_VALUE) refused = 1;
            continue;
        }
        u8 wanted = kind->kinds[number];
        if (wanted & IGNORED) continue;
        if (wanted & REFUSED || (wanted & 7) != field.wire) refused = 1;
        u32 times = fields[number].times + 1;
        if (times > 1 && !(wanted & MANY)) refused = 1;
        if (wanted & MANY) fields[number].times = times;
        else fields[number] = field, fields[number].times = 1;
    }
}

/* Goes through the values of a repeated field; returns 0 after the last one. */
static u32 each(Text *message, u32 number, Text *value) {
    Field field;
    for (u32 found; (found = next(message, &field));)
        if (found == number) {
            if (field.wire != BYTES) refused = 1;
            *value = field.text;
            return !refused;
        }
    return 0;
}

/* ---- writing ---- */

static void byte(u32 value) { *out++ = (u8)value; }

static void big(u64 value, u32 size) {
    while (size--) byte((u32)(value >> (8 * size)));
}

static void head(u32 small, u32 most, u32 wide, u32 count) {
    if (count <= most) byte(small | count);
    else byte(wide), big(count, 4);
}

static void map(u32 count) { head(0x80, 15, 0xDF, count); }
static void array(u32 count) { head(0x90, 15, 0xDD, count); }
static void string_head(u32 length) { head(0xA0, 31, 0xDB, length); }

static void raw(const void *at, u32 length) {
    __builtin_memcpy(out, at, length);
    out += length;
}

static void string(Text text) {
    string_head(text.length);
    raw(text.at, text.length);
}

#define NAME(literal) (string_head(sizeof(literal) - 1), raw(literal, sizeof(literal) - 1))

static void number(u64 value) {
    if (value < 128) byte((u32)value);
    else byte(0xCF), big(value, 8);
}

static void integer(i64 value) {
    if (value >= 0) number((u64)value);
    else byte(0xD3), big((u64)value, 8);
}

static void small(u64 value) { /* of 32 bits, without sign */
    if (value >> 32) refused = 1;
    number(value);
}

static void hex(Text bytes) {
    string_head(bytes.length * 2);
    for (u32 i = 0; i < bytes.length; i++) {
        u8 high = bytes.at[i] >> 4, low = bytes.at[i] & 15;
        byte(high + (high < 10 ? '0' : 'a' - 10)), byte(low + (low < 10 ? '0' : 'a' - 10));
    }
}

static void base64(Text bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    string_head((bytes.length + 2) / 3 * 4);
    for (u32 i = 0; i < bytes.length; i += 3) {
        u32 left = bytes.length - i, three = bytes.at[i] << 16;
        if (left > 1) three |= bytes.at[i + 1] << 8;
        if (left > 2) three |= bytes.at[i + 2];
        byte(digits[three >> 18]), byte(digits[three >> 12 & 63]);
        byte(left > 1 ? digits[three >> 6 & 63] : '='), byte(left > 2 ? digits[three & 63] : '=');
    }
}

/* ---- values and what the signals share ---- */

static void attributes(Text message, u32 field, u32 count, u32 depth);

static void value(Text message, u32 depth) {
    Field fields[MOST_FIELDS], *f = fields;
    read(message, &ANY_VALUE, f);
    u32 kinds = 0, kind = 0;
    for (u32 i = 1; i < 8; i++)
        if (f[i].times) kinds++, kind = i;
    if (kinds > 1 || depth > DEEPEST) refused = 1;
    if (refused) return;
    if (kind == 1) string(f[1].text);
    else if (kind == 2) byte(f[2].number ? 0xC3 : 0xC2);
    else if (kind == 3) integer((i64)f[3].number);
    else if (kind == 4) byte(0xCB), big(f[4].number, 8);
    else if (kind == 7) base64(f[7].text);
    else if (kind == 0) byte(0xC0);
    else {
        Field inner[MOST_FIELDS];
        Text list = f[kind].text, item;
        read(list, &LIST, inner);
        if (kind == 6) attributes(list, 1, inner[1].times, depth + 1);
        else {
            array(inner[1].times);
            while (each(&list, 1, &item)) value(item, depth + 1);
        }
    }
}

static void attributes(Text message, u32 field, u32 count, u32 depth) {
    Field f[MOST_FIELDS];
    Text pair;
    map(count);
    while (each(&message, field, &pair)) {
        read(pair, &KEY_VALUE, f);
        string(f[1].text);
        if (f[2].times) value(f[2].text, depth);
        else byte(0xC0);
    }
}

static void named_attributes(Text message, u32 field, u32 count, u32 *members) {
    if (!count) return;
    NAME("attributes"), attributes(message, field, count, 0), ++*members;
}

#define MEMBER(condition, name, write) \
    if (condition) NAME(name), write, ++members

static void patch(u8 *at, u32 count) { at[0] = 0xDE, at[1] = (u8)(count >> 8), at[2] = (u8)count; }

static u8 is(Text text, const char *other, u32 length) {
    if (text.length != length) return 0;
    while (length--)
        if (text.at[length] != (u8)other[length]) return 0;
    return 1;
}

/* The service's name: the text of the last `service.name`. */
static void service_name(Text resource, u32 *members) {
    Field f[MOST_FIELDS], v[MOST_FIELDS];
    Text pair, found = {0, 0};
    u32 have = 0;
    while (each(&resource, 1, &pair)) {
        read(pair, &KEY_VALUE, f);
        if (!is(f[1].text, "service.name", 12)) continue;
        read(f[2].text, &ANY_VALUE, v);
        have = v[1].times, found = v[1].text;
    }
    if (have) NAME("serviceName"), string(found), ++*members;
}

/* Writes what all records of one resource have in common; returns how many members that are. */
static u32 resource(Field *group) {
    Field f[MOST_FIELDS];
    u32 all = 0, members = 1;
    read(group[1].text, &RESOURCE, f);
    service_name(group[1].text, &all);
    if (!f[1].times && !f[2].number && !group[3].text.length) return all;
    NAME("resource");
    u8 *start = out;
    out += 3;
    NAME("attributes"), attributes(group[1].text, 1, f[1].times, 0);
    MEMBER(f[2].number, "droppedAttributesCount", small(f[2].number));
    MEMBER(group[3].text.length, "schemaUrl", string(group[3].text));
    patch(start, members);
    return all + 1;
}

static u32 scope(Field *group) {
    Field f[MOST_FIELDS];
    u32 members = 0;
    read(group[1].text, &SCOPE, f);
    if (!f[1].text.length && !f[2].text.length && !f[3].times && !f[4].number && !group[3].text.length) return 0;
    NAME("instrumentationScope");
    u8 *start = out;
    out += 3;
    MEMBER(f[1].text.length, "name", string(f[1].text));
    MEMBER(f[2].text.length, "version", string(f[2].text));
    named_attributes(group[1].text, 3, f[3].times, &members);
    MEMBER(f[4].number, "droppedAttributesCount", small(f[4].number));
    MEMBER(group[3].text.length, "schemaUrl", string(group[3].text));
    patch(start, members);
    return 1;
}

/* ---- spans ---- */

static void kind_of_span(u64 kind) {
    if (kind == 0) NAME("SPAN_KIND_UNSPECIFIED");
    else if (kind == 1) NAME("SPAN_KIND_INTERNAL");
    else if (kind == 2) NAME("SPAN_KIND_SERVER");
    else if (kind == 3) NAME("SPAN_KIND_CLIENT");
    else if (kind == 4) NAME("SPAN_KIND_PRODUCER");
    else if (kind == 5) NAME("SPAN_KIND_CONSUMER");
    else refused = 1;
}

static void status(Text message) {
    Field f[MOST_FIELDS];
    read(message, &STATUS, f);
    map(f[2].text.length ? 2 : 1);
    NAME("code"), integer((i32)f[3].number);
    if (f[2].text.length) NAME("message"), string(f[2].text);
}

static void event(Text message) {
    Field f[MOST_FIELDS];
    u32 members = 2;
    u8 *start = out;
    out += 3;
    read(message, &EVENT, f);
    NAME("name"), string(f[2].text);
    NAME("time"), number(f[1].number);
    named_attributes(message, 3, f[3].times, &members);
    MEMBER(f[4].number, "droppedAttributesCount", small(f[4].number));
    patch(start, members);
}

static void link(Text message) {
    Field f[MOST_FIELDS];
    u32 members = 2;
    u8 *start = out;
    out += 3;
    read(message, &LINK, f);
    NAME("traceId"), hex(f[1].text);
    NAME("spanId"), hex(f[2].text);
    MEMBER(f[3].text.length, "traceState", string(f[3].text));
    named_attributes(message, 4, f[4].times, &members);
    MEMBER(f[6].number, "flags", number(f[6].number));
    MEMBER(f[5].number, "droppedAttributesCount", small(f[5].number));
    patch(start, members);
}

static void list_of(Text message, u32 field, u32 count, void (*write)(Text)) {
    Text item;
    array(count);
    while (each(&message, field, &item)) write(item);
}

static u32 span(Text message, u64 received) {
    Field f[MOST_FIELDS];
    read(message, &SPAN, f);
    u64 start = f[7].number, end = f[8].number;
    u32 members = 7;
    NAME("@timestamp"), number(start ? start : received);
    NAME("traceId"), hex(f[1].text);
    NAME("spanId"), hex(f[2].text);
    NAME("parentSpanId"), hex(f[4].text);
    NAME("name"), string(f[5].text);
    NAME("kind"), kind_of_span(f[6].number);
    MEMBER(start, "startTime", number(start));
    MEMBER(end, "endTime", number(end));
    if ((start | end) >> 63) refused = 1; /* so that their difference has a sign of its own */
    MEMBER(start && end, "durationInNanos", integer((i64)(end - start)));
    named_attributes(message, 9, f[9].times, &members);
    NAME("status"), status(f[15].text);
    MEMBER(f[11].times, "events", list_of(message, 11, f[11].times, event));
    MEMBER(f[13].times, "links", list_of(message, 13, f[13].times, link));
    MEMBER(f[3].text.length, "traceState", string(f[3].text));
    MEMBER(f[16].number, "flags", number(f[16].number));
    MEMBER(f[10].number, "droppedAttributesCount", small(f[10].number));
    MEMBER(f[12].number, "droppedEventsCount", small(f[12].number));
    MEMBER(f[14].number, "droppedLinksCount", small(f[14].number));
    return members;
}

/* ---- log records ---- */

static u32 log_record(Text message, u64 received) {
    Field f[MOST_FIELDS];
    read(message, &LOG, f);
    u64 time = f[1].number, observed = f[11].number;
    u32 members = 1;
    NAME("@timestamp"), number(time ? time : observed ? observed : received);
    MEMBER(time, "time", number(time));
    MEMBER(observed, "observedTime", number(observed));
    MEMBER(f[2].number, "severityNumber", integer((i32)f[2].number));
    MEMBER(f[3].text.length, "severityText", string(f[3].text));
    MEMBER(f[5].times, "body", value(f[5].text, 0));
    named_attributes(message, 6, f[6].times, &members);
    MEMBER(f[9].text.length, "traceId", hex(f[9].text));
    MEMBER(f[10].text.length, "spanId", hex(f[10].text));
    MEMBER(f[8].number, "flags", number(f[8].number));
    MEMBER(f[12].text.length, "eventName", string(f[12].text));
    MEMBER(f[7].number, "droppedAttributesCount", small(f[7].number));
    return members;
}

/* ---- requests ---- */

static void records(Text group, u32 shared_bytes, u32 shared_members, u32 spans, u64 received) {
    Text item;
    while (each(&group, 2, &item)) {
        u8 *start = out;
        out += 3;
        raw(shared, shared_bytes);
        patch(start, shared_members + (spans ? span(item, received) : log_record(item, received)));
    }
}

extern u8 __heap_base;

/* Returns where a request of `size` bytes is to be put, and what is made of it has room for `more` bytes after it. */
EXPORT(room) u32 room(u32 size, u32 more) {
    u64 end = (u64)(u32)&__heap_base + size + more, have = (u64)__builtin_wasm_memory_size(0) * PAGE;
    if (end > have && __builtin_wasm_memory_grow(0, (u32)((end - have + PAGE - 1) / PAGE)) == (unsigned long)-1)
        __builtin_trap();
    return (u32)&__heap_base;
}

/* Writes the records of one resource and returns how many they are. */
static u32 group_of_records(Text group, u32 spans, u64 received) {
    Field of_resource[MOST_FIELDS], of_scope[MOST_FIELDS];
    Text scoped;
    u32 count = 0;
    u8 *begin = out;
    read(group, &GROUP, of_resource);
    if (of_resource[1].text.length + of_resource[3].text.length > MOST_SHARED) refused = 1;
    if (refused) return 0;
    out = shared;
    u32 members = resource(of_resource);
    u8 *after = out;
    out = begin;
    while (each(&group, 2, &scoped)) {
        read(scoped, &GROUP, of_scope);
        if (of_scope[1].text.length + of_scope[3].text.length > MOST_SHARED) refused = 1;
        if (refused) return 0;
        begin = out, out = after;
        u32 all = members + scope(of_scope), bytes = (u32)(out - shared);
        out = begin;
        records(scoped, bytes, all, spans, received);
        count += of_scope[2].times;
    }
    if (!count) refused = 1; /* then nobody has checked the texts of the resource */
    return count;
}

/* Writes an array of all records after the request and returns where it ends, or 0 when the request is refused. */
EXPORT(decode) u32 decode(const u8 *request, u32 length, u32 spans, u64 received) {
    Text message = {request, length}, group;
    u8 *begin = (u8 *)request + length, *end;
    u32 count = 0;
    refused = 0, out = begin + 5;
    while (each(&message, 1, &group)) count += group_of_records(group, spans, received);
    end = out, out = begin;
    byte(0xDD), big(count, 4);
    return refused ? 0 : (u32)end;
}
