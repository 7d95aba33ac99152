"""The words of delivery logs in other languages than English. Pure."""

from __future__ import annotations

from typing import Final

from homing.forensics.operations import Op, Stand, Word

_W = Word
#: the commonest words of German, Spanish, French, Italian and Portuguese logs: asked first, for parts of them look English
FOREIGN: Final[tuple[tuple[str, Word], ...]] = (
    (
        r"nicht_zugestellt|no_entregad|nao_entreg|non_(livr|consegnat)|unzustellbar|"
        r"zeitueberschreit|verbindung_(zurueck|ab|unter|fehl)|"
        r"tiempo_(de_espera_)?(agotado|excedido)|delai_(depasse|expire)|tempo_(esgotado|scaduto)",
        _W(Op.FAILED, Stand.FAILED, -1),
    ),
    (
        r"endgueltig|aufgegeben|(^|_)tot$|abandonad|abbandonat|(^|_)abandonne|muert[oa]|definitiv|"
        r"lettres?_morte|boite_morte",
        _W(Op.DEAD, Stand.DEAD),
    ),
    (r"erschoepft|agotad|epuise|esgotad|esaurit", _W(Op.EXHAUSTED, Stand.EXHAUSTED)),
    (
        r"wiederhol|erneut|reintent|nouvelle_tentative|(^|_)reessa|nova_tentativa|nuovo_tentativo|riprova",
        _W(Op.RETRY, Stand.WAITING),
    ),
    (
        r"fehler|fehlgeschlag|gescheitert|fallid|fallo|rechazad|abgelehnt|(^|_)eche[ck]|echou|(^|_)erreur|"
        r"refuse(_|$)|(^|_)falh|rejeitad|fallit|rifiutat",
        _W(Op.FAILED, Stand.FAILED, -1),
    ),
    (
        r"zugestellt|erledigt|erfolg|abgeschlossen|entregad|exito|terminad|(^|_)livre|(^|_)reussi|"
        r"(^|_)termine(_|$)|entregue|sucesso|concluid|consegnat|completat",
        _W(Op.SUCCEEDED, Stand.DELIVERED, 1),
    ),
    (r"verworfen|descartad|(^|_)rejete|scartat", _W(Op.DISCARDED, Stand.GONE)),
    (r"uebersprungen|omitid|ignore(_|$)|saltat", _W(Op.SKIPPED, Stand.GONE)),
    (r"geloescht|eliminad|borrad|supprime|apagad|cancellat[oa]_dal", _W(Op.PURGED, Stand.GONE)),
    (r"storniert|abgebrochen|anulad|(^|_)annul", _W(Op.CANCELLED, Stand.CANCELLED)),
    (r"abgelaufen|vencid|caducad|scadut|^expire_", _W(Op.LAPSED, Stand.NONE)),
    (
        r"bearbeit|laeuft|uebernommen|gesendet_wird|enviando|proces+an|en_curso|em_curso|tomad|en_cours|"
        r"pris(e|es)?_en_charge|em_processamento|in_corso|in_elaborazione|en_proceso",
        _W(Op.CLAIMED, Stand.LEASED),
    ),
    (
        r"eingereiht|wart(end|et)(_|$)|bereit(_|$)|ausstehend|pendiente|en_cola|encolad|en_file|en_attente|pendente|na_fila|"
        r"in_coda|in_attesa",
        _W(Op.QUEUED, Stand.WAITING),
    ),
    (
        r"angenommen|angelegt|erstellt|empfangen|eingegangen|creado|creada|criad[oa]|recibid|recebid|"
        r"ricevut|aceptad|aceit|accettat|(^|_)recue?s?(_|$)|(^|_)cree?e?s?_?$",
        _W(Op.ACCEPTED, Stand.WAITING),
    ),
)
