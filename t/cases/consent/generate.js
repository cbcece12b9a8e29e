/*
 * Writes tcf-library.txt and gpp-library.txt: strings that the libraries of
 * the IAB encode from random values, and what the same libraries decode.
 *
 *     npm ci && node generate.js
 *
 * The random numbers are always the same.  The values are those of the
 * decoder, not those that went in: the libraries correct some.  The decided
 * purposes are derived here a second time, in other words than in martech/.
 */

'use strict';

const fs = require('fs');
const path = require('path');

const { GVL, Segment, TCModel, TCString, PurposeRestriction,
        RestrictionType } = require('@iabtechlabtcf/core');
const { GppModel } = require('@iabgpp/cmpapi');

const TCF_COUNT = 220;
const GPP_COUNT = 240;
const VENDORS = 800;

const FIELDS = {
    sale: 'SaleOptOut',
    share: 'SharingOptOut',
    ta: 'TargetedAdvertisingOptOut',
};

let seed = 20260115;


/* mulberry32: small, and the same everywhere */

function random() {
    seed = (seed + 0x6d2b79f5) | 0;

    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);

    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;

    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}


function below(n) {
    return Math.floor(random() * n);
}


function flip(chance = 0.5) {
    return random() < chance;
}


function pick(max, chance) {
    const out = [];

    for (let i = 1; i <= max; i++) {
        if (flip(chance)) {
            out.push(i);
        }
    }

    return out;
}


/* few, many in a row, or about half: so that each encoding is chosen */

function vendors() {
    const kind = below(9);

    switch (kind) {
    case 0:
        return [];
    case 1:
        return pick(VENDORS, 0.5);
    case 2:
    case 3:
        return pick(VENDORS, 0.004);
    case 4:
    case 5: {
        const out = [];
        let id = 1 + below(300);

        for (let i = 0; i < 1 + below(6); i++) {
            for (let n = below(60); n >= 0; n--) {
                out.push(id++);
            }

            id += 2 + below(80);
        }

        return out.filter((x) => x <= VENDORS);
    }
    default:
        return pick(40, 0.5);
    }
}


/* numbers as ranges: 1-5,9 */

function ranges(list) {
    const sorted = [...new Set(list)].sort((a, b) => a - b);
    const out = [];

    for (let i = 0; i < sorted.length; i++) {
        const first = sorted[i];

        while (sorted[i + 1] === sorted[i] + 1) {
            i++;
        }

        out.push(first === sorted[i] ? `${first}` : `${first}-${sorted[i]}`);
    }

    return out.join(',') || 'none';
}


function members(vector) {
    const out = [];

    vector.forEach((value, id) => value && out.push(id));

    return out;
}


function list() {
    const all = {};
    const numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

    for (let id = 1; id <= VENDORS; id++) {
        all[id] = { id, name: `v${id}`, purposes: numbers,
                    legIntPurposes: [2, 7, 8, 9, 10, 11],
                    flexiblePurposes: [2, 7, 8, 9, 10, 11],
                    specialPurposes: [], features: [], specialFeatures: [],
                    policyUrl: 'https://example.org/' };
    }

    const named = (ids) => Object.fromEntries(ids.map((id) =>
        [id, { id, name: `n${id}`, description: '', illustrations: [] }]));

    return new GVL({
        gvlSpecificationVersion: 3, vendorListVersion: 126,
        tcfPolicyVersion: 5, lastUpdated: '2026-01-15T00:00:00Z',
        purposes: named(numbers), specialPurposes: named([1, 2]),
        features: named([1, 2, 3]), specialFeatures: named([1, 2]),
        stacks: {}, vendors: all,
    });
}


/* ours from those of the framework */

function decide(consented) {
    const needs = {
        functional: [1],
        analytics: [1, 8, 9],
        advertising: [1, 2, 3, 4, 7],
        personalization: [1, 5, 6],
    };

    return Object.keys(needs).map((name) =>
        [name, needs[name].every((p) => consented.includes(p))]);
}


function tcfModel(gvl) {
    const model = new TCModel(gvl);

    model.cmpId = 2 + below(1000);
    model.cmpVersion = 1 + below(4000);
    model.consentScreen = below(60);
    model.consentLanguage = ['EN', 'DE', 'FR', 'PT-BR', 'ZH'][below(5)];
    model.publisherCountryCode = ['DE', 'FR', 'AT', 'PL', 'ZZ'][below(5)];
    model.useNonStandardTexts = flip();
    model.purposeOneTreatment = flip(0.3);
    model.isServiceSpecific = true;
    model.specialFeatureOptins.set(pick(2, 0.5));
    model.purposeConsents.set(pick(11, [0.2, 0.8, 1][below(3)]));
    model.purposeLegitimateInterests.set(pick(11, 0.5));
    model.vendorConsents.set(vendors());
    model.vendorLegitimateInterests.set(vendors());
    model.vendorsDisclosed.set(vendors());
    model.publisherConsents.set(pick(11, 0.5));
    model.publisherLegitimateInterests.set(pick(11, 0.5));
    model.numCustomPurposes = flip() ? 0 : below(40);
    model.publisherCustomConsents.set(pick(model.numCustomPurposes, 0.5));
    model.publisherCustomLegitimateInterests
        .set(pick(model.numCustomPurposes, 0.5));

    for (let i = flip() ? 0 : below(12); i > 0; i--) {
        const restriction = new PurposeRestriction(2 + below(10),
            [RestrictionType.NOT_ALLOWED, RestrictionType.REQUIRE_CONSENT,
             RestrictionType.REQUIRE_LI][below(3)]);

        try {
            model.publisherRestrictions.add(1 + below(VENDORS), restriction);
        } catch (e) {
            /* not every pair is allowed */
        }
    }

    return model;
}


function tcfRestrictions(model) {
    const out = model.publisherRestrictions.getRestrictions().map((r) => {
        const ids = model.publisherRestrictions.getVendors(r);

        return `${r.purposeId}/${r.restrictionType}/${ranges(ids)}`;
    });

    return out.sort().join('+') || 'none';
}


function tcfLine(text) {
    const model = TCString.decode(text);
    const consented = members(model.purposeConsents);
    const decided = decide(consented);
    const segments = text.split('.').slice(1);
    const has = (from, to) =>
        segments.some((s) => s[0] >= from && s[0] <= to);
    const fields = {
        created: model.created.getTime(),
        updated: model.lastUpdated.getTime(),
        cmp: `${model.cmpId}/${model.cmpVersion}`,
        screen: model.consentScreen,
        language: model.consentLanguage,
        list: model.vendorListVersion,
        policy: model.policyVersion,
        specific: +model.isServiceSpecific,
        texts: +model.useNonStandardTexts,
        one: +model.purposeOneTreatment,
        country: model.publisherCountryCode,
        features: ranges(members(model.specialFeatureOptins)),
        purposes: ranges(consented),
        interests: ranges(members(model.purposeLegitimateInterests)),
        vendors: ranges(members(model.vendorConsents)),
        vendor_interests: ranges(members(model.vendorLegitimateInterests)),
        restrictions: tcfRestrictions(model),
        disclosed: has('I', 'P') ? ranges(members(model.vendorsDisclosed))
                                 : 'absent',
    };

    fields.publisher = 'absent';

    if (has('Y', 'f')) {
        fields.publisher = [
            ranges(members(model.publisherConsents)),
            ranges(members(model.publisherLegitimateInterests)),
            model.numCustomPurposes,
            ranges(members(model.publisherCustomConsents)),
            ranges(members(model.publisherCustomLegitimateInterests)),
        ].join('/');
    }

    fields.granted = decided.filter((d) => d[1]).map((d) => d[0]).join(',')
                     || 'none';
    fields.denied = decided.filter((d) => !d[1]).map((d) => d[0]).join(',')
                    || 'none';

    return `${text}\t` + Object.entries(fields)
        .map(([name, value]) => `${name}=${value}`).join(' ');
}


function tcf() {
    const gvl = list();
    const lines = [];

    for (let i = 0; i < TCF_COUNT; i++) {
        const model = tcfModel(gvl);
        const segments = [Segment.CORE];

        if (flip(0.7)) {
            segments.push(Segment.VENDORS_DISCLOSED);
        }

        if (flip(0.5)) {
            segments.push(Segment.PUBLISHER_TC);
        }

        model.created = new Date(Date.UTC(2020 + below(7), below(12),
                                          1 + below(28)));
        model.lastUpdated = model.created;
        lines.push(tcfLine(TCString.encode(model, { segments })));
    }

    return lines;
}


const STATES = {
    7: 'usnat', 8: 'usca', 9: 'usva', 10: 'usco', 11: 'usut', 12: 'usct',
    13: 'usfl', 14: 'usmt', 15: 'usor', 16: 'ustx', 17: 'usde', 18: 'usia',
    19: 'usne', 20: 'usnh', 21: 'usnj', 22: 'ustn', 23: 'usmn', 24: 'usmd',
    25: 'usin', 26: 'usky', 27: 'usri',
};


/* every field of a section at random, within what the library allows */

function gppFill(model, name, object) {
    for (const [field, value] of Object.entries(object)) {
        if (/Version$/.test(field)) {
            if (name === 'usnat') {
                model.setFieldValue(name, field, 1 + below(2));
            }

        } else if (/SegmentType$/.test(field)) {
            /* stays */

        } else if (field === 'Gpc') {
            model.setFieldValue(name, field, flip());
            model.setFieldValue(name, 'GpcSegmentIncluded', flip(0.8));

        } else if (Array.isArray(value)) {
            model.setFieldValue(name, field, value.map(() => below(3)));

        } else if (/^Mspa/.test(field)) {
            model.setFieldValue(name, field, 1 + below(2));

        } else {
            model.setFieldValue(name, field, flip(0.7) ? 2 * below(2)
                                                       : below(3));
        }
    }
}


function gppCanada(model) {
    const bits = (n, chance) => Array.from({ length: n }, () => flip(chance));
    const chance = [0.2, 0.7, 1][below(3)];

    model.setFieldValue('tcfcav1', 'CmpId', 2 + below(900));
    model.setFieldValue('tcfcav1', 'PurposesExpressConsent',
                        bits(24, chance));
    model.setFieldValue('tcfcav1', 'PurposesImpliedConsent', bits(24, 0.5));
    model.setFieldValue('tcfcav1', 'VendorExpressConsent', vendors());
    model.setFieldValue('tcfcav1', 'VendorImpliedConsent', vendors());

    /* the library takes today's date at each of the calls above */

    const day = new Date(Date.UTC(2026, below(6), 1 + below(28)));

    model.setFieldValue('tcfcav1', 'Created', day);
    model.setFieldValue('tcfcav1', 'LastUpdated', day);
}


function gppModel(tcStrings) {
    const model = new GppModel();
    const chance = [0.05, 0.05, 0.2, 0.2, 0.9][below(5)];

    for (const [id, name] of Object.entries(STATES)) {
        if (flip(chance)) {
            model.setFieldValue(name, fieldVersion(name), 1);
            gppFill(model, name, model.toObject()[name]);
        }
    }

    if (flip(0.3)) {
        model.setFieldValue('uspv1', 'Notice', 'YN-'[below(3)]);
        model.setFieldValue('uspv1', 'OptOutSale', 'YN-'[below(3)]);
        model.setFieldValue('uspv1', 'LspaCovered', 'YN-'[below(3)]);
    }

    if (flip(0.3)) {
        gppCanada(model);
    }

    let text = model.encode();

    if (flip(0.3)) {
        const tc = tcStrings[below(tcStrings.length)];

        model.setFieldValue('tcfeuv2', 'CmpId', 1);
        text = model.encode().split('~');
        text[1] = tc;
        text = text.join('~');
    }

    return text;
}


function fieldVersion(name) {
    return /^us(md|in|ky|ri)$/.test(name) ? 'MspaVersion' : 'Version';
}


function indices(array) {
    return array.map((value, i) => (value ? i + 1 : 0)).filter((n) => n);
}


function gppState(id, object, text, said) {
    const children = object.KnownChildSensitiveDataConsents;
    const child = children === undefined ? []
                  : Array.isArray(children) ? children : [children];
    const out = [`version:${object.Version ?? object.MspaVersion}`];
    let denied = child.includes(1);

    for (const [key, field] of Object.entries(FIELDS)) {
        out.push(`${key}:${object[field] ?? 0}`);
        denied = denied || object[field] === 1;
    }

    out.push(`child:${child.join('.') || 'none'}`);

    const gpc = 'Gpc' in object && text.includes('.') ? +object.Gpc : 'absent';

    out.push(`gpc:${gpc}`);

    if (denied || gpc === 1) {
        said.denied.add('advertising').add('personalization');
    }

    return `${id}=${out.join(',')}`;
}


function gppLine(text) {
    const model = new GppModel(text);
    const object = model.toObject();
    const said = { granted: new Set(), denied: new Set() };
    const out = [`ids=${ranges(model.getSectionIds())}`];

    if (object.tcfeuv2) {
        const consented = indices(object.tcfeuv2.PurposeConsents);

        for (const [name, yes] of decide(consented)) {
            (yes ? said.granted : said.denied).add(name);
        }

        out.push(`2=purposes:${ranges(consented)}`);
    }

    if (object.tcfcav1) {
        const express = indices(object.tcfcav1.PurposesExpressConsent);
        const implied = indices(object.tcfcav1.PurposesImpliedConsent);
        const either = decide(express.concat(implied));

        decide(express).forEach(([name, yes], i) => {
            if (yes) {
                said.granted.add(name);

            } else if (!either[i][1]) {
                said.denied.add(name);
            }
        });

        out.push(`5=express:${ranges(express)},implied:${ranges(implied)}`);
    }

    if (object.uspv1 && object.uspv1.OptOutSale === 'Y') {
        said.denied.add('advertising').add('personalization');
    }

    for (const [id, name] of Object.entries(STATES)) {
        if (object[name]) {
            out.push(gppState(id, object[name], model.encodeSection(name),
                              said));
        }
    }

    const order = ['functional', 'analytics', 'advertising',
                   'personalization'];
    const granted = order.filter((p) => said.granted.has(p)
                                        && !said.denied.has(p));
    const denied = order.filter((p) => said.denied.has(p));

    out.push(`granted=${granted.join(',') || 'none'}`);
    out.push(`denied=${denied.join(',') || 'none'}`);

    return `${text}\t${out.join(' ')}`;
}


function write(name, lines, what) {
    const head = [
        `# ${what}, and what the same library decodes;`,
        '# made by generate.js, see README.md.',
        '',
    ];

    fs.writeFileSync(path.join(__dirname, name),
                     head.join('\n') + lines.join('\n') + '\n');
}


const tcStrings = tcf();
const gppStrings = [];

for (let i = 0; i < GPP_COUNT; i++) {
    gppStrings.push(gppLine(gppModel(tcStrings.map((l) => l.split('\t')[0]))));
}

write('tcf-library.txt', tcStrings,
      'TC strings that @iabtechlabtcf/core encodes');
write('gpp-library.txt', gppStrings,
      'GPP strings that @iabgpp/cmpapi encodes');
