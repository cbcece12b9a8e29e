'use strict';

// A payload of the tracker with the JSON inside it in the clear, however it
// was encoded: { ..., ue: {schema, data}, contexts: [{schema, data}] }.


function decoded(plain, base64) {
    if (plain !== undefined) {
        return JSON.parse(plain);
    }

    return base64 === undefined ? undefined
                                : JSON.parse(Buffer.from(base64, 'base64url'));
}


function readable(payload) {
    const { ue_pr: uePr, ue_px: uePx, co, cx, ...rest } = payload;
    const ue = decoded(uePr, uePx);
    const contexts = decoded(co, cx);

    return { ...rest, ...(ue && { ue: ue.data }),
             ...(contexts && { contexts: contexts.data }) };
}


module.exports = { readable };
