
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The meta-schemas of drafts 2020-12 and 07, to which a "$ref" may go: only
 * what decides about a schema, without titles, comments and defaults.
 */


#include <string.h>

#include "martech_schema_core.h"


static const char  martech_schema_meta_draft_07[] =
    "{\"$schema\":\"http://json-schema.org/draft-07/schema#\","
    "\"$id\":\"http://json-schema.org/draft-07/schema#\",\"definitions\":{"
    "\"schemaArray\":{\"type\":\"array\",\"minItems\":1,\"items\":{"
    "\"$ref\":\"#\"}},\"nonNegativeInteger\":{\"type\":\"integer\","
    "\"minimum\":0},\"nonNegativeIntegerDefault0\":{\"allOf\":[{"
    "\"$ref\":\"#/definitions/nonNegativeInteger\"},{}]},\"simpleTypes\":{"
    "\"enum\":[\"array\",\"boolean\",\"integer\",\"null\",\"number\","
    "\"object\",\"string\"]},\"stringArray\":{\"type\":\"array\","
    "\"items\":{\"type\":\"string\"},\"uniqueItems\":true}},\"type\":["
    "\"object\",\"boolean\"],\"properties\":{\"$id\":{\"type\":\"string\","
    "\"format\":\"uri-reference\"},\"$schema\":{\"type\":\"string\","
    "\"format\":\"uri\"},\"$ref\":{\"type\":\"string\","
    "\"format\":\"uri-reference\"},\"$comment\":{\"type\":\"string\"},"
    "\"title\":{\"type\":\"string\"},\"description\":{\"type\":\"string\"},"
    "\"default\":true,\"readOnly\":{\"type\":\"boolean\"},\"examples\":{"
    "\"type\":\"array\",\"items\":true},\"multipleOf\":{"
    "\"type\":\"number\",\"exclusiveMinimum\":0},\"maximum\":{"
    "\"type\":\"number\"},\"exclusiveMaximum\":{\"type\":\"number\"},"
    "\"minimum\":{\"type\":\"number\"},\"exclusiveMinimum\":{"
    "\"type\":\"number\"},\"maxLength\":{"
    "\"$ref\":\"#/definitions/nonNegativeInteger\"},\"minLength\":{"
    "\"$ref\":\"#/definitions/nonNegativeIntegerDefault0\"},\"pattern\":{"
    "\"type\":\"string\",\"format\":\"regex\"},\"additionalItems\":{"
    "\"$ref\":\"#\"},\"items\":{\"anyOf\":[{\"$ref\":\"#\"},{"
    "\"$ref\":\"#/definitions/schemaArray\"}]},\"maxItems\":{"
    "\"$ref\":\"#/definitions/nonNegativeInteger\"},\"minItems\":{"
    "\"$ref\":\"#/definitions/nonNegativeIntegerDefault0\"},"
    "\"uniqueItems\":{\"type\":\"boolean\"},\"contains\":{\"$ref\":\"#\"},"
    "\"maxProperties\":{\"$ref\":\"#/definitions/nonNegativeInteger\"},"
    "\"minProperties\":{"
    "\"$ref\":\"#/definitions/nonNegativeIntegerDefault0\"},\"required\":{"
    "\"$ref\":\"#/definitions/stringArray\"},\"additionalProperties\":{"
    "\"$ref\":\"#\"},\"definitions\":{\"type\":\"object\","
    "\"additionalProperties\":{\"$ref\":\"#\"}},\"properties\":{"
    "\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#\"}},"
    "\"patternProperties\":{\"type\":\"object\",\"additionalProperties\":{"
    "\"$ref\":\"#\"},\"propertyNames\":{\"format\":\"regex\"}},"
    "\"dependencies\":{\"type\":\"object\",\"additionalProperties\":{"
    "\"anyOf\":[{\"$ref\":\"#\"},{"
    "\"$ref\":\"#/definitions/stringArray\"}]}},\"propertyNames\":{"
    "\"$ref\":\"#\"},\"const\":true,\"enum\":{\"type\":\"array\","
    "\"items\":true},\"type\":{\"anyOf\":[{"
    "\"$ref\":\"#/definitions/simpleTypes\"},{\"type\":\"array\","
    "\"items\":{\"$ref\":\"#/definitions/simpleTypes\"},\"minItems\":1,"
    "\"uniqueItems\":true}]},\"format\":{\"type\":\"string\"},"
    "\"contentMediaType\":{\"type\":\"string\"},\"contentEncoding\":{"
    "\"type\":\"string\"},\"if\":{\"$ref\":\"#\"},\"then\":{"
    "\"$ref\":\"#\"},\"else\":{\"$ref\":\"#\"},\"allOf\":{"
    "\"$ref\":\"#/definitions/schemaArray\"},\"anyOf\":{"
    "\"$ref\":\"#/definitions/schemaArray\"},\"oneOf\":{"
    "\"$ref\":\"#/definitions/schemaArray\"},\"not\":{\"$ref\":\"#\"}}}";


static const char  martech_schema_meta_draft_2020[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
    "\"$id\":\"https://json-schema.org/draft/2020-12/schema\","
    "\"$dynamicAnchor\":\"meta\",\"allOf\":[{\"$ref\":\"meta/core\"},{"
    "\"$ref\":\"meta/applicator\"},{\"$ref\":\"meta/unevaluated\"},{"
    "\"$ref\":\"meta/validation\"},{\"$ref\":\"meta/meta-data\"},{"
    "\"$ref\":\"meta/format-annotation\"},{\"$ref\":\"meta/content\"}],"
    "\"type\":[\"object\",\"boolean\"],\"properties\":{\"definitions\":{"
    "\"type\":\"object\",\"additionalProperties\":{"
    "\"$dynamicRef\":\"#meta\"}},\"dependencies\":{\"type\":\"object\","
    "\"additionalProperties\":{\"anyOf\":[{\"$dynamicRef\":\"#meta\"},{"
    "\"$ref\":\"meta/validation#/$defs/stringArray\"}]}},"
    "\"$recursiveAnchor\":{\"$ref\":\"meta/core#/$defs/anchorString\"},"
    "\"$recursiveRef\":{\"$ref\":\"meta/core#/$defs/uriReferenceString\"}}}";


static const char  martech_schema_meta_v_core[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
    "\"$id\":\"https://json-schema.org/draft/2020-12/meta/core\","
    "\"$dynamicAnchor\":\"meta\",\"type\":[\"object\",\"boolean\"],"
    "\"properties\":{\"$id\":{\"$ref\":\"#/$defs/uriReferenceString\","
    "\"pattern\":\"^[^#]*#?$\"},\"$schema\":{"
    "\"$ref\":\"#/$defs/uriString\"},\"$ref\":{"
    "\"$ref\":\"#/$defs/uriReferenceString\"},\"$anchor\":{"
    "\"$ref\":\"#/$defs/anchorString\"},\"$dynamicRef\":{"
    "\"$ref\":\"#/$defs/uriReferenceString\"},\"$dynamicAnchor\":{"
    "\"$ref\":\"#/$defs/anchorString\"},\"$vocabulary\":{"
    "\"type\":\"object\",\"propertyNames\":{"
    "\"$ref\":\"#/$defs/uriString\"},\"additionalProperties\":{"
    "\"type\":\"boolean\"}},\"$comment\":{\"type\":\"string\"},\"$defs\":{"
    "\"type\":\"object\",\"additionalProperties\":{"
    "\"$dynamicRef\":\"#meta\"}}},\"$defs\":{\"anchorString\":{"
    "\"type\":\"string\",\"pattern\":\"^[A-Za-z_][-A-Za-z0-9._]*$\"},"
    "\"uriString\":{\"type\":\"string\",\"format\":\"uri\"},"
    "\"uriReferenceString\":{\"type\":\"string\","
    "\"format\":\"uri-reference\"}}}";


static const char  martech_schema_meta_v_applicator[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
    "\"$id\":\"https://json-schema.org/draft/2020-12/meta/applicator\","
    "\"$dynamicAnchor\":\"meta\",\"type\":[\"object\",\"boolean\"],"
    "\"properties\":{\"prefixItems\":{\"$ref\":\"#/$defs/schemaArray\"},"
    "\"items\":{\"$dynamicRef\":\"#meta\"},\"contains\":{"
    "\"$dynamicRef\":\"#meta\"},\"additionalProperties\":{"
    "\"$dynamicRef\":\"#meta\"},\"properties\":{\"type\":\"object\","
    "\"additionalProperties\":{\"$dynamicRef\":\"#meta\"}},"
    "\"patternProperties\":{\"type\":\"object\",\"additionalProperties\":{"
    "\"$dynamicRef\":\"#meta\"},\"propertyNames\":{\"format\":\"regex\"}},"
    "\"dependentSchemas\":{\"type\":\"object\",\"additionalProperties\":{"
    "\"$dynamicRef\":\"#meta\"}},\"propertyNames\":{"
    "\"$dynamicRef\":\"#meta\"},\"if\":{\"$dynamicRef\":\"#meta\"},"
    "\"then\":{\"$dynamicRef\":\"#meta\"},\"else\":{"
    "\"$dynamicRef\":\"#meta\"},\"allOf\":{"
    "\"$ref\":\"#/$defs/schemaArray\"},\"anyOf\":{"
    "\"$ref\":\"#/$defs/schemaArray\"},\"oneOf\":{"
    "\"$ref\":\"#/$defs/schemaArray\"},\"not\":{"
    "\"$dynamicRef\":\"#meta\"}},\"$defs\":{\"schemaArray\":{"
    "\"type\":\"array\",\"minItems\":1,\"items\":{"
    "\"$dynamicRef\":\"#meta\"}}}}";


static const char  martech_schema_meta_v_unevaluated[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
    "\"$id\":\"https://json-schema.org/draft/2020-12/meta/unevaluated\","
    "\"$dynamicAnchor\":\"meta\",\"type\":[\"object\",\"boolean\"],"
    "\"properties\":{\"unevaluatedItems\":{\"$dynamicRef\":\"#meta\"},"
    "\"unevaluatedProperties\":{\"$dynamicRef\":\"#meta\"}}}";


static const char  martech_schema_meta_v_validation[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
    "\"$id\":\"https://json-schema.org/draft/2020-12/meta/validation\","
    "\"$dynamicAnchor\":\"meta\",\"type\":[\"object\",\"boolean\"],"
    "\"properties\":{\"type\":{\"anyOf\":[{"
    "\"$ref\":\"#/$defs/simpleTypes\"},{\"type\":\"array\",\"items\":{"
    "\"$ref\":\"#/$defs/simpleTypes\"},\"minItems\":1,"
    "\"uniqueItems\":true}]},\"const\":true,\"enum\":{\"type\":\"array\","
    "\"items\":true},\"multipleOf\":{\"type\":\"number\","
    "\"exclusiveMinimum\":0},\"maximum\":{\"type\":\"number\"},"
    "\"exclusiveMaximum\":{\"type\":\"number\"},\"minimum\":{"
    "\"type\":\"number\"},\"exclusiveMinimum\":{\"type\":\"number\"},"
    "\"maxLength\":{\"$ref\":\"#/$defs/nonNegativeInteger\"},"
    "\"minLength\":{\"$ref\":\"#/$defs/nonNegativeIntegerDefault0\"},"
    "\"pattern\":{\"type\":\"string\",\"format\":\"regex\"},\"maxItems\":{"
    "\"$ref\":\"#/$defs/nonNegativeInteger\"},\"minItems\":{"
    "\"$ref\":\"#/$defs/nonNegativeIntegerDefault0\"},\"uniqueItems\":{"
    "\"type\":\"boolean\"},\"maxContains\":{"
    "\"$ref\":\"#/$defs/nonNegativeInteger\"},\"minContains\":{"
    "\"$ref\":\"#/$defs/nonNegativeInteger\"},\"maxProperties\":{"
    "\"$ref\":\"#/$defs/nonNegativeInteger\"},\"minProperties\":{"
    "\"$ref\":\"#/$defs/nonNegativeIntegerDefault0\"},\"required\":{"
    "\"$ref\":\"#/$defs/stringArray\"},\"dependentRequired\":{"
    "\"type\":\"object\",\"additionalProperties\":{"
    "\"$ref\":\"#/$defs/stringArray\"}}},\"$defs\":{"
    "\"nonNegativeInteger\":{\"type\":\"integer\",\"minimum\":0},"
    "\"nonNegativeIntegerDefault0\":{"
    "\"$ref\":\"#/$defs/nonNegativeInteger\"},\"simpleTypes\":{\"enum\":["
    "\"array\",\"boolean\",\"integer\",\"null\",\"number\",\"object\","
    "\"string\"]},\"stringArray\":{\"type\":\"array\",\"items\":{"
    "\"type\":\"string\"},\"uniqueItems\":true}}}";


static const char  martech_schema_meta_v_meta_data[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
    "\"$id\":\"https://json-schema.org/draft/2020-12/meta/meta-data\","
    "\"$dynamicAnchor\":\"meta\",\"type\":[\"object\",\"boolean\"],"
    "\"properties\":{\"title\":{\"type\":\"string\"},\"description\":{"
    "\"type\":\"string\"},\"default\":true,\"deprecated\":{"
    "\"type\":\"boolean\"},\"readOnly\":{\"type\":\"boolean\"},"
    "\"writeOnly\":{\"type\":\"boolean\"},\"examples\":{\"type\":\"array\","
    "\"items\":true}}}";


static const char  martech_schema_meta_v_format_annotation[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
    "\"$id\":\"https://json-schema.org/draft/2020-12/meta/format-annotation\","
    "\"$dynamicAnchor\":\"meta\",\"type\":[\"object\",\"boolean\"],"
    "\"properties\":{\"format\":{\"type\":\"string\"}}}";


static const char  martech_schema_meta_v_format_assertion[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
    "\"$id\":\"https://json-schema.org/draft/2020-12/meta/format-assertion\","
    "\"$dynamicAnchor\":\"meta\",\"type\":[\"object\",\"boolean\"],"
    "\"properties\":{\"format\":{\"type\":\"string\"}}}";


static const char  martech_schema_meta_v_content[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
    "\"$id\":\"https://json-schema.org/draft/2020-12/meta/content\","
    "\"$dynamicAnchor\":\"meta\",\"type\":[\"object\",\"boolean\"],"
    "\"properties\":{\"contentEncoding\":{\"type\":\"string\"},"
    "\"contentMediaType\":{\"type\":\"string\"},\"contentSchema\":{"
    "\"$dynamicRef\":\"#meta\"}}}";


static const struct {
    const char            *uri;
    const char            *text;
} martech_schema_metas[] = {
    { "http://json-schema.org/draft-07/schema",
      martech_schema_meta_draft_07 },
    { "https://json-schema.org/draft/2020-12/schema",
      martech_schema_meta_draft_2020 },
    { "https://json-schema.org/draft/2020-12/meta/core",
      martech_schema_meta_v_core },
    { "https://json-schema.org/draft/2020-12/meta/applicator",
      martech_schema_meta_v_applicator },
    { "https://json-schema.org/draft/2020-12/meta/unevaluated",
      martech_schema_meta_v_unevaluated },
    { "https://json-schema.org/draft/2020-12/meta/validation",
      martech_schema_meta_v_validation },
    { "https://json-schema.org/draft/2020-12/meta/meta-data",
      martech_schema_meta_v_meta_data },
    { "https://json-schema.org/draft/2020-12/meta/format-annotation",
      martech_schema_meta_v_format_annotation },
    { "https://json-schema.org/draft/2020-12/meta/format-assertion",
      martech_schema_meta_v_format_assertion },
    { "https://json-schema.org/draft/2020-12/meta/content",
      martech_schema_meta_v_content },
};


const char *
martech_schema_meta(martech_str_t uri, const char **name)
{
    size_t  i, count;

    count = sizeof(martech_schema_metas) / sizeof(martech_schema_metas[0]);

    for (i = 0; i < count; i++) {

        if (strlen(martech_schema_metas[i].uri) == uri.len
            && memcmp(martech_schema_metas[i].uri, uri.data, uri.len) == 0)
        {
            *name = martech_schema_metas[i].uri;
            return martech_schema_metas[i].text;
        }
    }

    return NULL;
}
