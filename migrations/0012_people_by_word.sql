-- The words of a name as they are compared in a search: decomposed, without accents, in lower case, letters with strokes and
-- ligatures as they are typed without them, split at spaces and punctuation. Built-in functions alone, so that a restored dump
-- can build the index whatever its search path is, and no locale but for lower(), which is helped where it knows ASCII alone.
CREATE FUNCTION "parley_name_words"(text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  select array_remove(regexp_split_to_array(left(
    replace(replace(replace(replace(translate(
      lower(regexp_replace(normalize($1, NFKD), '[\u0300-\u036f]', '', 'g')),
      'ØøŁłĐđÐðĦħıŦŧÆŒẞÞАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯІЄЂЈЉЊЋЏΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩς',
      'oollddddhhittæœßþабвгдежзиклмнопрстуфхцчшщъыьэюяієђјљњћџαβγδεζηθικλμνξοπρστυφχψωσ'),
      'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'), 400),
    '[][\s!"#$%&''()*+,./:;<=>?@\\^_`{|}~‘’“”„·–—-]+'), '')
$$;--> statement-breakpoint
CREATE INDEX "users_names" ON "users" USING gin (array_to_tsvector(parley_name_words("display_name") || lower("username"))) WHERE "users"."erased_at" is null;