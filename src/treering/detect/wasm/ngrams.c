/* Counts hashed word, character and concept n-grams of texts and adds up what a linear model makes of them.
 *
 * Texts are UTF-8, folded to lower case by `treering.parse.textview`. What a feature is says this file alone: training
 * (`list`) and judging (`score`) read the same code. Freestanding C: the only memory is what `take` cuts from
 * WebAssembly's linear memory; every text is read in pieces of at most TOKENS tokens, so memory is bounded.
 *
 * Build, here with Zig's clang, which comes as a Python package (ziglang 0.17.1):
 *   python -m ziglang cc -target wasm32-freestanding -O3 -nostdlib -Wall -Wextra -Wl,--no-entry -Wl,--strip-all \
 *     -o ngrams.wasm ngrams.c && sha256sum ngrams.c > ngrams.c.sha256
 */
typedef unsigned char u8;
typedef signed char i8;
typedef unsigned short u16;
typedef short i16;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(#name)))
#define PAGE 65536u
#define TOKENS 32768u
#define LONGEST 48u /* bytes of a word that are looked at */
#define SEED 0x811C9DC5u

enum { WORDS, CHARS, CONCEPTS, KINDS };
#define WORD_BITS 19u
#define CHAR_BITS 18u
#define CONCEPT_BITS 18u
#define CHARS_AT (1u << WORD_BITS)
#define CONCEPTS_AT (CHARS_AT + (1u << CHAR_BITS))
#define FEATURES (CONCEPTS_AT + (1u << CONCEPT_BITS))

enum { GAP, LETTER, DIGIT, STOP, BEYOND, ALONE, JOINER };
typedef struct { u32 start, end, hash; u16 concept; u8 kind; } Token;
typedef struct { u32 text, start, end; i32 sums[KINDS]; u32 counts[KINDS]; } Window;
typedef struct { u32 feature, start, end; } Seen;
typedef struct { u32 hash; u16 concept; u8 whole, length; } Entry;

extern u8 __heap_base;
static u32 top;
static u8 kinds[256];
static Token *tokens;
static u32 *stamps, epoch;
static const i16 *weights;    /* FEATURES for each head */
static Entry *lexicon;       /* open addressing; length 0 is an empty slot */
static u32 lexicon_mask;
static u8 *begins;           /* a bit for every hash of a beginning that the lexicon may know */
#define BEGINS (1u << 16)

static u32 take(u32 size) {
    u32 start = (top + 15u) & ~15u;
    u64 end = (u64)start + size, have = (u64)__builtin_wasm_memory_size(0) * PAGE;
    if (end > have && __builtin_wasm_memory_grow(0, (u32)((end - have + PAGE - 1) / PAGE)) == (unsigned long)-1)
        __builtin_trap();
    top = (u32)end;
    return start;
}

static u32 stir(u32 value) {
    value ^= value >> 16, value *= 0x85EBCA6Bu;
    value ^= value >> 13, value *= 0xC2B2AE35u;
    return value ^ (value >> 16);
}

static u32 pair(u32 one, u32 other) { return stir(one * 0x9E3779B1u + other + 0x7F4A7C15u); }

EXPORT(begin) void begin(u32 heads, u32 entries) {
    top = (u32)&__heap_base;
    for (u32 i = 0; i < 256; i++)
        kinds[i] = (i >= 'a' && i <= 'z') || (i >= 'A' && i <= 'Z') ? LETTER : i >= '0' && i <= '9' ? DIGIT
            : i == '.' || i == '!' || i == '?' || i == '\n' || i == ';' || i == ':' ? STOP
            : i == '\'' ? JOINER : i < 128 ? GAP : i < 0xE3 ? BEYOND : ALONE;
    tokens = (Token *)take(TOKENS * sizeof(Token));
    stamps = (u32 *)take(FEATURES * 4);
    weights = (const i16 *)take(heads * FEATURES * 2);
    begins = (u8 *)take(BEGINS / 8);
    u32 room = 64;
    while (room < entries * 3) room *= 2;
    lexicon = (Entry *)take(room * sizeof(Entry));
    lexicon_mask = room - 1, epoch = 0;
}

EXPORT(weights_at) u32 weights_at(void) { return (u32)weights; }
EXPORT(features) u32 features(void) { return FEATURES; }
EXPORT(room_for) u32 room_for(u32 size) { return take(size); }

static u32 grow_hash(u32 value, u8 byte) { return (value ^ byte) * 0x01000193u; }

/* Remembers that a word which begins with (or, if `whole`, is) these bytes is an instance of `concept` (from 1). */
EXPORT(learn) void learn(const u8 *text, u32 length, u32 concept, u32 whole) {
    u32 value = SEED;
    for (u32 i = 0; i < length; i++) value = grow_hash(value, text[i]);
    u32 at = stir(value) & lexicon_mask, bit = stir(value) >> 16;
    while (lexicon[at].length && (lexicon[at].hash != value || lexicon[at].whole != whole)) at = (at + 1) & lexicon_mask;
    lexicon[at].hash = value, lexicon[at].concept = (u16)concept, lexicon[at].whole = (u8)whole;
    lexicon[at].length = (u8)length;
    begins[bit >> 3] |= (u8)(1u << (bit & 7));
}

/* Returns the concept of a beginning of `length` bytes with this hash; 0 if there is none. */
static u32 known(u32 value, u32 length, u32 ends) {
    u32 mixed = stir(value), bit = mixed >> 16;
    if (!(begins[bit >> 3] >> (bit & 7) & 1)) return 0;
    for (u32 at = mixed & lexicon_mask; lexicon[at].length; at = (at + 1) & lexicon_mask)
        if (lexicon[at].hash == value && lexicon[at].length == length && (ends || !lexicon[at].whole))
            return lexicon[at].concept;
    return 0;
}

static const u8 *word(Token *token, const u8 *text, const u8 *at, const u8 *end) {
    u32 value = SEED, length = 0, concept = 0, found;
    while (at < end) {
        u8 kind = kinds[*at];
        if (kind == JOINER && at + 1 < end && (kinds[at[1]] == LETTER || kinds[at[1]] == BEYOND)) { at++; continue; }
        if (kind != LETTER && kind != BEYOND) break;
        if (length < LONGEST) {
            value = grow_hash(value, *at), length++;
            u32 last = at + 1 == end || kinds[at[1]] == GAP || kinds[at[1]] == STOP || kinds[at[1]] == DIGIT || kinds[at[1]] == ALONE;
            if ((found = known(value, length, last))) concept = found;
        }
        at++;
    }
    token->hash = value, token->concept = (u16)concept, token->kind = LETTER, token->end = (u32)(at - text);
    return at;
}

static u32 wide(u8 byte) { return byte >= 0xF0 ? 4 : 3; }

/* A character of a script without spaces is a token; the concept is that of the longest known text that begins here. */
static const u8 *alone(Token *token, const u8 *text, const u8 *at, const u8 *end) {
    u32 value = SEED, length = 0, concept = 0, found;
    const u8 *stop = at + wide(*at) < end ? at + wide(*at) : end, *look = at;
    for (u32 i = 0; i < 8 && look < end && kinds[*look] == ALONE; i++) {
        const u8 *next = look + wide(*look) < end ? look + wide(*look) : end;
        for (; look < next; look++, length++) value = grow_hash(value, *look);
        if (!i) token->hash = value;
        if ((found = known(value, length, 1))) concept = found;
    }
    token->concept = (u16)concept, token->kind = ALONE, token->end = (u32)(stop - text);
    return stop;
}

/* Cuts `text` from *from on into at most TOKENS tokens; *from becomes where it stopped. */
static u32 cut(const u8 *text, u32 length, u32 *from) {
    const u8 *at = text + *from, *end = text + length;
    u32 count = 0;
    while (at < end && count < TOKENS) {
        u8 kind = kinds[*at];
        Token *token = &tokens[count];
        token->start = (u32)(at - text), token->concept = 0;
        if (kind == LETTER || kind == BEYOND) { at = word(token, text, at, end), count++; continue; }
        if (kind == ALONE) { at = alone(token, text, at, end), count++; continue; }
        const u8 *first = at++;
        if (kind == DIGIT) while (at < end && kinds[*at] == DIGIT) at++;
        if (kind == GAP || kind == JOINER) continue;
        u32 digits = (u32)(at - first);
        token->hash = kind == DIGIT ? 0xD1617000u + (digits > 4 ? 5 : digits) : 0x570B0000u;
        token->kind = kind, token->end = (u32)(at - text);
        if (kind == STOP && count && tokens[count - 1].kind == STOP) continue;
        count++;
    }
    *from = (u32)(at - text);
    return count;
}

static Seen *listed; /* where features are written to; null while scoring */
static const i16 *chosen;
static Window *window;

static void emit(u32 kind, u32 value, u32 start, u32 end) {
    static const u32 first[KINDS] = {0, CHARS_AT, CONCEPTS_AT}, bits[KINDS] = {WORD_BITS, CHAR_BITS, CONCEPT_BITS};
    u32 feature = first[kind] + (stir(value + kind * 0x3C6EF372u) >> (32 - bits[kind]));
    if (stamps[feature] == epoch) return;
    stamps[feature] = epoch;
    if (listed) {
        listed->feature = feature, listed->start = start, listed->end = end, listed++;
        return;
    }
    window->sums[kind] += chosen[feature], window->counts[kind]++;
}

static void characters(const u8 *text, const Token *token) {
    u8 around[LONGEST + 2];
    u32 length = 1;
    around[0] = '_';
    for (u32 i = token->start; i < token->end && length < LONGEST; i++) around[length++] = text[i];
    around[length++] = '_';
    if (length < 5) return;
    for (u32 i = 0; i + 3 <= length; i++) {
        u32 value = SEED;
        for (u32 n = 0; n < 5 && i + n < length; n++) {
            value = grow_hash(value, around[i + n]);
            if (n >= 2) emit(CHARS, value + n, token->start, token->end);
        }
    }
}

#define BACK 4u
#define REACH 12u
static void concepts(u32 first, u32 end) {
    u32 before[BACK] = {0}, held = 0; /* numbers of the tokens with a concept, the last first */
    for (u32 i = first; i < end; i++) {
        u32 is = tokens[i].concept, stop = tokens[i].end;
        if (!is) continue;
        emit(CONCEPTS, is, tokens[i].start, stop);
        if (i == first || tokens[i - 1].kind == STOP) emit(CONCEPTS, is + 0x10000u, tokens[i].start, stop);
        for (u32 k = 0; k < held; k++) {
            u32 was = before[k], apart = i - was;
            if (apart > REACH) break;
            u32 two = tokens[was].concept * 4096u + is;
            emit(CONCEPTS, pair(two, 0xB0), tokens[was].start, stop);
            if (apart <= 3) emit(CONCEPTS, pair(two, 0xB1), tokens[was].start, stop);
            if (k + 1 < held && i - before[k + 1] <= REACH)
                emit(CONCEPTS, pair(two, 0x10000u + tokens[before[k + 1]].concept), tokens[before[k + 1]].start, stop);
        }
        for (u32 k = BACK - 1; k; k--) before[k] = before[k - 1];
        before[0] = i, held = held < BACK ? held + 1 : BACK;
    }
}

static void judge(const u8 *text, u32 first, u32 end) {
    epoch++;
    for (u32 i = first; i < end; i++) {
        const Token *token = &tokens[i];
        emit(WORDS, token->hash, token->start, token->end);
        if (i > first) {
            u32 two = pair(token[-1].hash, token->hash);
            emit(WORDS, two, token[-1].start, token->end);
            if (i > first + 1) emit(WORDS, pair(token[-2].hash, two), token[-2].start, token->end);
        }
        if (token->kind == LETTER) characters(text, token);
    }
    concepts(first, end);
}

/* Writes the features of all of a text, each once, with the bytes of its first place; returns how many. */
EXPORT(list) u32 list(const u8 *text, u32 length, Seen *out) {
    u32 from = 0;
    listed = out;
    u32 count = cut(text, length, &from);
    judge(text, 0, count);
    u32 written = (u32)(listed - out);
    listed = 0;
    return written;
}

/* Scores texts one after another: text i ends before ends[i + 1], is judged by heads[i] in windows of `size` tokens
 * that begin every `step` tokens. At most `most` windows are written; returns how many. */
EXPORT(score) u32 score(const u8 *data, const u32 *ends, const u8 *heads, u32 number, const u32 *sizes, Window *out, u32 most) {
    u32 written = 0;
    for (u32 i = 0; i < number; i++) {
        const u8 *text = data + ends[i];
        u32 length = ends[i + 1] - ends[i], from = 0, size = sizes[heads[i] * 2], step = sizes[heads[i] * 2 + 1];
        chosen = weights + heads[i] * FEATURES;
        while (from < length && written < most) {
            u32 count = cut(text, length, &from);
            for (u32 first = 0; first < count && written < most; first += step) {
                u32 end = first + size < count ? first + size : count;
                window = &out[written++];
                *window = (Window){i, tokens[first].start, tokens[end - 1].end, {0}, {0}};
                judge(text, first, end);
                if (end == count) break;
            }
        }
    }
    return written;
}

#define OTHER 26u
typedef struct { i32 backwards, rot13, spaced; } Spelling;

static u32 letter(u8 byte) { return byte >= 'a' && byte <= 'z' ? byte - 'a' : OTHER; }
static u32 turned(u32 at) { return at == OTHER ? at : (at + 13) % 26; }
static i32 above(i32 sum, i32 *best) {
    if (sum > *best) *best = sum;
    return sum > 0 ? sum : 0;
}

/* Says of each text how much better its best stretch reads backwards and in ROT13 than as it stands, by the likelihood
 * of pairs of letters (27 x 27 of `pairs`: letters and whatever else), and how many letters of it stand alone. */
EXPORT(spellings) void spellings(const u8 *data, const u32 *ends, u32 number, const i8 *pairs, Spelling *out) {
    for (u32 i = 0; i < number; i++) {
        i32 back = 0, rot = 0;
        u32 before = OTHER, alone_for = 0, run = 0;
        Spelling found = {0, 0, 0};
        for (u32 at = ends[i]; at < ends[i + 1]; at++) {
            u32 is = letter(data[at]);
            i32 plain = pairs[before * 27 + is];
            back = above(back + pairs[is * 27 + before] - plain, &found.backwards);
            rot = above(rot + pairs[turned(before) * 27 + turned(is)] - plain, &found.rot13);
            if (is != OTHER) run++;
            else {
                if (run == 1) alone_for++;
                else if (run) alone_for = 0;
                if ((i32)alone_for > found.spaced) found.spaced = (i32)alone_for;
                run = 0;
            }
            before = is;
        }
        if (run == 1 && (i32)++alone_for > found.spaced) found.spaced = (i32)alone_for;
        out[i] = found;
    }
}
