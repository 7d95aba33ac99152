"""What logs of deliveries say by several words together, or by one that sounds like another. Pure."""

from __future__ import annotations

from typing import Final

from homing.forensics.operations import UNKNOWN, Op, Stand, Word

_W = Word
#: pattern of the normalised words → meaning; the first that matches counts, and before any of single words
PHRASES: Final[tuple[tuple[str, Word], ...]] = (
    (  # a worker that is late sees that another has it
        r"(lease|lock|claim|job|message|delivery|^it|^)_?(is_|was_)?(no_longer|not)_(held|ours|mine|owned)(_|$)|"
        r"(^|_)is_not_(mine|ours)(_any_?more)?$|(^|_)(no_longer|not)_(the_)?owner(_any_?more)?(_|$)",
        _W(Op.NOTED, Stand.NONE),
    ),
    (
        r"(re_?)?claim(ed|ing)?_(un_?acked|unacknowledged|abandoned|orphaned|idle)|(^|_)still_(sending|processing|running|in_progress|in_flight|claimed|locked|leased|held)_(after|for|since)",
        _W(Op.LAPSED, Stand.NONE),
    ),
    (
        r"(not|without|no)_success\w*_(\w+_)?(next_(attempt|try)|retry|retrying|try_again|again)(_|$)",
        _W(Op.RETRY, Stand.WAITING),
    ),
    (r"(^|_)(not|without|no)_success", _W(Op.FAILED, Stand.FAILED, -1)),
    (  # and waits again, whatever it is called beside that
        r"(stall|stuck|expired|heartbeat|hung|orphan)\w*_(\w+_)?(back|returned|requeued|put)_(in|on|to|into)_(the_)?(queue|pool)(_|$)",
        _W(Op.LAPSED, Stand.WAITING),
    ),
    # what it failed by at last is no failure to store it
    (r"(^|_)dead_?lettered_after_(all_)?(attempts|tries|retries)(_|$)", _W(Op.DEAD, Stand.DEAD)),
    (  # as Symfony's queue calls its dead letters, and its retries
        r"(sent|send(ing)?|moved?|moving)_to_(the_)?failure_(transport|queue)(_|$)",
        _W(Op.DEAD, Stand.DEAD),
    ),
    (r"(^|_)(sending|sent|send)_for_retry(_|$)", _W(Op.RETRY, Stand.WAITING)),
    (r"(^|_)handled_successfully(_|$)", _W(Op.SUCCEEDED, Stand.DELIVERED, 1)),
    (r"^((process|gen_?server|child)_)?terminat(ing|ed)(_|$)", _W(Op.NOTED, Stand.NONE)),
    (r"(^|_)(leaving|left)_(it|this)(_alone|_be|_to_(it|them))?$", _W(Op.SKIPPED, Stand.GONE)),
    (  # Laravel's queue, which counts a turn that never ended as an attempt
        r"attempted_too_many_times|max_attempts_exceeded|(^|_)used_(up_)?(all_)?(its_|the_)?(\d+_)?(of_)?(\d+_)?(tries|attempts)(_|$)",
        _W(Op.EXHAUSTED, Stand.EXHAUSTED),
    ),
    # the end of a turn, as `Processing SendWebhook` is its beginning
    (r"^processed_(?!by|in|for|at)[a-z]\w*$", _W(Op.SUCCEEDED, Stand.DELIVERED, 1)),
    (
        r"(process|worker|service|node|boot|instance)_(start|boot|restart|up|stop|shutdown|exit)|boot|restart(ed)?$|^startup$|^shutdown$|worker_(died|crash\w*|exit\w*|kill\w*|terminat\w*)",
        _W(Op.STARTED, Stand.NONE),
    ),
    (
        r"(^|_)(got|took|taken|picked|popped|pulled|fetched|read|received)_(\w+_)?(off|from)_(the_)?(\w+_)?(queue|broker|topic|stream)$",
        _W(Op.CLAIMED, Stand.LEASED),
    ),
    (
        # whoever is late writes all the same, or ends the wait that another began
        r"(^|_)(retry_)?timer_(was_|is_)?(stopped|cleared|removed|reset)$|"
        r"lost_(its_|the_)?(lease|lock|claim)_(but_|and_)?(sav|writ|stor|updat)(ing|es|ed|ten)?(_|$)",
        _W(Op.WRITTEN, Stand.NONE),
    ),
    (
        r"(^|_)(turn|lease|claim)_(is_|was_)?overdue(_|$)|"
        r"(^|_)(pending|in_?flight|unacked|unacknowledged|outstanding)_(\w+_)?(is_|was_|has_)?(expired|timed_out|elapsed)$",
        _W(Op.LAPSED, Stand.NONE),
    ),
    (  # taken, and what comes of it is yet to be told
        r"^un_?confirmed(_|$)|(^|_)(await\w*|wait\w*_for|pending|to_be)_(confirm\w*|receipt|ack\w*|verdict)(_|$)",
        _W(Op.SENT, Stand.LEASED),
    ),
    (
        r"(^|_)(unfinished|incomplete|unprocessed|uncompleted)(_|$)|(^|_)not_(yet_)?(confirmed|finished|completed?|done|processed)(_|$)",
        _W(Op.NOTED, Stand.NONE),
    ),
    (  # of a flight, and of what a delivery is likened to
        r"(^|_)(took|taken|taking|lifted|lift)_off(_|$)",
        _W(Op.SENT, Stand.LEASED),
    ),
    (r"(^|_)board(ing|ed)$", _W(Op.QUEUED, Stand.WAITING)),
    (r"^(dispatch|flight)_landed$|(^|_)touche?d?_?down$", _W(Op.SUCCEEDED, Stand.DELIVERED, 1)),
    (  # as a task of Erlang's ends that failed
        r"(^|_)terminating$",
        _W(Op.FAILED, Stand.FAILED, -1),
    ),
    (  # failed for good, says whoever decides
        r"(^|_)(not|non|never|without|won_t|wont|will_not|no)_(be_)?"
        r"re_?(try|tries|tryable|tried|trying)(_|$)(?!needed|required|necessary)",
        _W(Op.DEAD, Stand.DEAD),
    ),
    (
        r"(^|_)(plann?(ed|ing)|book(ed|ing)|schedul(ed|ing))_(the_|an?_)?(next_|new_)?(attempt|try)(_|$)|"
        r"(^|_)(ask|told|tell)\w*_(us_)?to_(wait|back_?off|slow_down|come_back|try_(again_)?later)(_|$)",
        _W(Op.RETRY, Stand.WAITING),
    ),
    (  # what was called off is tried again at once
        r"(^|_)(cancell?ed|aborted|rolled_back|conflict\w*)_(\w+_)?retrying$",
        _W(Op.NOTED, Stand.NONE),
    ),
    (  # a job came to its end, as there was nobody to send it to
        r"(endpoint|subscription|destination|receiver)_(is_|was_)?(not|un)_?(verified|active|enabled|ready|registered|confirmed)"
        r"_(\w+_)?(closed|acked|done|finished|completed?|skipped|dropped)$",
        _W(Op.DISCARDED, Stand.GONE),
    ),
    (  # Symfony's worker is done with a message, whatever came of it
        r"(^|_)acknowledging_to_transport$",
        UNKNOWN,
    ),
    (  # and keeps what failed in a transport of its own
        r"(^|_)removing_from_transport_after_|(^|_)will_be_sent_to_(the_)?failure_transport",
        _W(Op.EXHAUSTED, Stand.EXHAUSTED),
    ),
    (
        r"(moved|sent|routed|forwarded)_to_(the_)?(\w+_)?failure_transport",
        _W(Op.DEAD, Stand.DEAD),
    ),
    (  # that queue has not taken it
        r"(publish|send|sent|mov\w*|push|put)_(\w+_)?(fail|refus|abort|error_)\w*_(to_)?(\w+_)?(errors?|poison)(_queue)?$",
        _W(Op.DEAD_FAILED, Stand.NONE),
    ),
    (  # to the queue in which what failed is kept
        r"(mov|publish|sen[dt]|rout|forward|push|put)\w*_(\w+_)?to_(\w+_)?((errors?|poison)(_queue|_topic)?|failed_(webhook_)?(deliveries|messages|jobs|webhooks|events))$",
        _W(Op.DEAD, Stand.DEAD),
    ),
    (
        r"(^|_)lock_(\w+_)?(present|exists|there)(_|$)|(has|have|had|found)_(an?_)?(inbox|idempot\w*|dedup\w*|lock|marker|guard)_(entry|record|row|key)|(^|_)inbox_(entry|record)",
        _W(Op.SKIPPED, Stand.GONE),
    ),
    (
        # where it stands now is said in a column of its own
        r"^(saved|updated|wrote|re_?saved|re_?loaded)_((the_)?(delivery|row|record|message|webhook)(_|$)|after_)|"
        r"^(delivery_|job_|message_)?(is_|are_)?now(_next_attempt\w*)?$",
        _W(Op.WRITTEN, Stand.NONE),
    ),
    (  # of an endpoint, and so of no delivery
        r"^(subscription|endpoint|webhook_endpoint|destination)_(was_)?(re_?)?"
        r"(resumed|enabled|created|registered|updated)$",
        _W(Op.STARTED, Stand.NONE),
    ),
    (
        r"^(?!.*(could_not|can_?not|unable|fail(ed|ure)?_to_|not_)).*"
        r"(moved|sent|published|written|put|added|routed|forwarded|pushed|stored|saved|copied|inserted|recorded|kept)_(\w+_)?(to|in|into|on|as)_"
        r"(\w+_)?(dead(?!line|lock)|dlq|dlx|dlt|parking_lot)",
        _W(Op.DEAD, Stand.DEAD),
    ),
    (
        r"(dead(?!line|lock)|dlq|dlx|dlt|bury|burial|graveyard|morgue|quarantine|poison_queue|undeliverables?|failed_jobs)"
        r"\w*_(fail|error|refus|unroutable|lost|reject|timeout|too_(long|large|big))|"
        r"(^|_)park(ing)?_(\w+_)?(fail|error|refus|reject)|"
        r"(could_not|couldn_t|can_?not|unable_to|fail(ed|ure)?_to)_(be_)?(bur(y|ied)|park(ed)?|quarantined?)(_|$)|"
        r"(fail|error|exception|could_not|couldn_t|can_?not|unable)\w*_(\w+_)?(dead(?!line|lock)|dlq|dlx|dlt)|"
        r"(^|_)re_?driv\w*_(fail|error|refus|den)|"
        r"(dead_?letters?|dlq|dlx|dlt)_(\w+_)?(not|never)_(be_|been_)?"
        r"(saved|stored|written|sent|published|created|inserted|accepted|put|queued|enqueued|moved|recorded|confirmed|persisted|added|routed|made)(_|$)|"
        r"(dead_?letters?|dlq|dlx|dlt)(_queue|_topic|_table|_store|_exchange|_writer)?_(is_|was_)?"
        r"(unavailable|unreachable|not_(reachable|available|there)|down|missing|full)(_|$)|"
        r"(dead_?letters?|dlq|dlx|dlt)_(\w+_)?(writ\w*|insert|publish|send|put|save|store|push|move)_"
        r"(timed_out|aborted|denied|rolled_back)|"
        r"(insert|write|save|move|put|push|publish|send)\w*_(\w+_)?(dead_?letters?|dlq|dlx|dlt)_(\w+_)?(did_not|didn_t|was_not|never)_"
        r"(finish|complete|commit|succeed|return|end|happen)\w*",
        _W(Op.DEAD_FAILED, Stand.NONE),
    ),
    (  # what became of an attempt is not on record: the attempt itself has a line of its own
        r"(could_not|couldn_t|can_?not|unable_to|fail\w*_to)_(save|store|persist|update|record|write)_(the_)?"
        r"(new_)?(state|status|result|outcome)(_|$)",
        _W(Op.NOTED, Stand.NONE),
    ),
    (  # what a receiver says at last it has said, whether it is heeded or not
        r"(receipt|callback|confirmation|report)_(\w+_)?(reject|fail|declin|negativ|nack)\w*_(\w+_)?(ignor|drop|discard|not_(applied|stored)|unchanged|already)",
        _W(Op.FAILED, Stand.NONE, -1),
    ),
    (
        r"(result|response|outcome|answer|callback|late_word)\w*_(ignor|drop|discard)|"
        r"(result|outcome|write|update|save|commit|release|unlock|settle(ment)?|complet(e|ion)|finish|finali[sz]e)"
        r"_(was_|is_)?(reject|refus|denied|skip|ignor|fenced)|^late$|"
        r"(result|response|outcome|answer|callback)_(was_|is_)?(not|never)_(stored|saved|written|recorded|applied|kept|used)|"
        r"(ignor|drop|discard)\w*_(the_|a_)?(late|stale|outdated|result|response)|(late|stale)_(result|response|answer|write)",
        _W(Op.NOTED, Stand.NONE),
    ),
    (
        r"(disabled|inactive|not_active|gone|missing)_(\w+_)?(skip|ignor|drop|discard|nothing_to|not_)|"
        r"(disabled|inactive|not_active)_(\w+_)?(finish|acknowledg|complet)|"
        r"(skip|ignor|drop|discard)\w*_(\w+_)?(disabled|inactive|paused)|"
        r"no_(active_)?(endpoint|subscri|webhook|destination)",
        _W(Op.DISCARDED, Stand.GONE),
    ),
    (
        r"(process|worker|runner|consumer)_(is_|was_)?(missing|pruned|vanished|not_alive|gone|lost)|"
        r"(^|_)(no|without|missed|lost)_(a_)?heart_?beats?(_|$)|heart_?beat\w*_(missed|missing|lost|stopped|stale)|"
        r"(^|_)lease_?(sweep|reap)\w*$|(^|_)in_(processing|progress)_since_(\w+_)?(marked|marking|set)(_|$)",
        _W(Op.LAPSED, Stand.NONE),
    ),
    (
        # it was written all the same, by one who no longer held it
        r"(lease|lock|claim)\w*_(expir|lost|laps)\w*_(\w+_)?(sav(e|ed|ing)|writ\w*|wrote|updat\w*)(_|$)",
        _W(Op.WRITTEN, Stand.NONE),
    ),
    (  # `answered 202 Accepted`: its status says how, and not its phrase
        r"(attempt|request|post|call|delivery)_(\w+_)?answered_((ok|accepted|created|no_content)(_|$)|\w+_in$)",
        _W(Op.ATTEMPTED, Stand.NONE),
    ),
    (
        r"(dead_?letters?|dlq|dlx|dlt)_(was_|were_)?(re_?driven|re_?played)$",
        _W(Op.RESUMED, Stand.WAITING),
    ),
    (
        r"(abandoned|stuck|orphan\w*|lost|dead|unfinished)_(job|task|message|delivery|entry|run)?_?"
        r"(was_|is_)?(re_?queue|re_?enqueue|re_?schedul|return|put_back|rescu|recover)",
        _W(Op.LAPSED, Stand.NONE),
    ),
    (  # a retry that was planned is taken up
        r"(^|_)(retry|retries|re_?attempt)_(was_|is_|row_|job_|entry_|being_)?"
        r"(claimed|picked|taken|leased|fetched|dequeued|popped|locked|acquired)(_|$)",
        _W(Op.CLAIMED, Stand.LEASED),
    ),
    (  # its status says how, and not that its worker no longer held it
        r"(result|response|answer|outcome)_(came_)?(after|past|beyond)_(\w+_)?(lease|lock|claim|visib\w*|deadline)(_|$)",
        _W(Op.ATTEMPTED, Stand.NONE),
    ),
    (
        r"certificate_(\w+_)?expired|expired_certificate|connection_(was_|is_)?(closed|lost|dropped|broken)(?!_after)|"
        r"(^|_)(eai_again|eproto|epipe|ehostunreach|enetunreach|err_[a-z]+_(abort|fail|refus|clos|reset|time)\w*)(_|$)",
        _W(Op.FAILED, Stand.FAILED, -1),
    ),
    (r"(been_)?(running|working|busy)_(for_)?too_long(_|$)", _W(Op.LAPSED, Stand.NONE)),
    (
        r"(lock|lease|marker|claim)_(\w+_)?(is_|was_)?(taken|held|busy)_(by_)?(some(one|body)|another|an_?other)|"
        r"(some(one|body)|another_worker)_(else_)?(is_|has_)(on_it|it|at_work|working)|busy_(elsewhere|with_an?other)",
        _W(Op.SKIPPED, Stand.GONE),
    ),
    (r"^sent_to_(the_)?(transport|queue|broker|topic|bus)$", _W(Op.QUEUED, Stand.WAITING)),
    (r"^re_?delivered$", _W(Op.QUEUED, Stand.WAITING)),  # by the queue, to another worker
    (r"^(\w+_)?not_(dispatched|scheduled|attempted)$", _W(Op.SKIPPED, Stand.GONE)),
    (  # a queue is told that it is done with what nobody can be sent
        r"(no_such|un_?known|missing|no)_(endpoint|target|destination|subscription)_(\w+_)?ack(ing|ed)?$|"
        r"(endpoint|target|destination|subscription)_(\w+_)?(not|un_?known|missing|gone|disabled)_(\w+_)?ack(ing|ed)?$",
        _W(Op.DISCARDED, Stand.GONE),
    ),
    (r"^(\w+_)?(not_(active|enabled)|inactive)$", _W(Op.SKIPPED, Stand.GONE)),
    (
        r"^(\w{2,10}_)?(answer(ed)?|respon(se|ded))_(with_)?[1-5]\d\d(_|$)|^answered_(in_)?retry_after(_|$)",
        _W(Op.ATTEMPTED, Stand.NONE),
    ),
    (  # the job that is to put a dead letter away, and not yet its end
        r"(start|schedul|queue|begin|began|creat|perform(ing)?|pick|claim|fetch|receiv|added)\w*_of_\w*(dead_?letter|dlq|dlx)",
        _W(Op.NOTED, Stand.NONE),
    ),
    (r"(^|_)fan_?out_(is_|was_)?(complet|done|finish|end)", _W(Op.NOTED, Stand.NONE)),
    (r"back_?off_(\w+_)?exhausted_for", _W(Op.NOTED, Stand.NONE)),
    (  # the plan of a retry was taken away; whether the delivery was is said by others
        r"(^|_)(retry|retries|re_?attempt|back_?off|timers?|booking|plan|wake_?up)_(was_|is_|entry_|job_|row_)?"
        r"(un(?!til)\w{4,}|clear\w*|remov\w*|delet\w*|wip\w*|erase\w*|cancell?ed)$|"
        r"(un_?(book|schedul|plan)|clear|remov|delet|wip|erase)\w*_(the_|its_|pending_|planned_)?(retry|retries|re_?attempt|timer)(_(entry|row|record|job))?(_of_(the_)?\w+)?$",
        _W(Op.WRITTEN, Stand.NONE),
    ),
    (
        r"(publish|produc\w*|en_?queue|push|hand_?over)_(was_)?abort|"
        r"(exception|error|fail)\w*_(\w+_)?(send|publish|produc)\w*_(an?_|the_)?(message|record)s?_"
        r"(\w+_)?(to|on)_(\w+_)?(topic|queue|exchange|stream)(_|$)",
        _W(Op.NOT_QUEUED, Stand.NONE),
    ),
    (r"(not_active|inactive|disabled|paused)_(\w+_)?try_again", _W(Op.POSTPONED, Stand.WAITING)),
    # a database's, and nobody's hold on a delivery
    (r"lock_wait_timeout|(^|_)dead_?lock_(found|detected)", _W(Op.FAILED, Stand.NONE, 0)),
    (
        r"(g[ia]v(e|es|en|ing)_up|handed_back|let_go_of)_(its|the|an?)_(job|turn|lock|lease|claim|entry)",
        _W(Op.RELEASED, Stand.WAITING),
    ),
    # so it was found, and passed over
    (
        r"^is_(still_|already_)?((claimed|leased|held|locked|taken)(_by_(an)?other\w*)?$|in_flight(_|$))",
        _W(Op.SKIPPED, Stand.GONE),
    ),
    (r"(^|_)n?ac?k_(has_)?failed$", _W(Op.NOTED, Stand.NONE)),  # of the queue's entry alone
    # what it would be is not written yet
    (r"(sav|writ|stor|updat)ing_\w+_(lock_wait|dead_?lock|conflict)", _W(Op.NOTED, Stand.NONE)),
    (r"reject\w*_execution|(executor|pool)_(\w+_)?(reject|is_full)", _W(Op.NOT_QUEUED, Stand.NONE)),
    (  # wherever its retry was put
        r"(attempt|try|request|delivery)_failed_(\w+_)?retry_(?!limit|exhaust|budget|count)",
        _W(Op.FAILED, Stand.FAILED, -1),
    ),
    (
        r"re_?(stor|cover)\w*_(unack|orphan)|unack\w*_(message_)?re_?(stor|cover)",
        _W(Op.RELEASED, Stand.WAITING),
    ),
    (  # a request to the service itself
        r"^post_(api_)?(v\d*_)?(events?|messages?|webhooks?|notifications?|deliveries|publish|ingest)_"
        r"(accepted|created|stored|enqueued)$",
        _W(Op.ACCEPTED, Stand.WAITING),
    ),
    (
        r"(^|_)(row|record|delivery|message|job|entry)_((does_not|doesn_t|did_not|no_longer)_exist|vanished|disappeared)|"
        r"(^|_)no_(such_)?(row|record)s?(_found|_in_result\w*)?$|(^|_)no_such_delivery$|"
        r"(^|_)(has|have|had|with|found)_no_(row|record)(_|$)|"
        r"(^|_)(payload|body)_((is_|was_)?(missing|gone|purged|expired|deleted|removed)|(is_|was_)?not_found)(_|$)|"
        r"(^|_)(row|record|hash|entry|delivery|notice|notification|parcel|dispatch|handoff|postback)_((is_|was_)?(missing|gone)|(is_|was_)?not_found)(_(skip|drop|nothing|ignor|discard|ack)\w*|$)|"
        r"(could_not|couldn_t|can_?not|fail\w*_to|unable_to)_(find|load)_(the_|its_|an?_)?(\w+_)?(row|record|delivery|message|job|webhook)",
        _W(Op.PURGED, Stand.GONE),
    ),
    (
        r"(^|_)re_?deliver\w*_(request|trigger|ask|by)|(^|_)retry_(was_)?requested",
        _W(Op.RESUMED, Stand.WAITING),
    ),
    (
        r"(^|_)(is|been)_(\w+_)?with_(an?_|the_)?worker_(for|since|longer)_(\w+_)?(set|mark\w*)_(as_|to_)?fail",
        _W(Op.LAPSED, Stand.FAILED),
    ),
    (
        r"(^|_)(is|been)_(\w+_)?with_(an?_|the_)?worker_(for|since|longer)(_|$)",
        _W(Op.LAPSED, Stand.NONE),
    ),
    (
        r"(lease|lock|claim|visibility)\w*_(extend|renew|prolong|refresh)|(heart_?|(^|_))beat(s|_|$)|keep_?alive|"
        r"(extend|renew|prolong|refresh)\w*_(lease|lock|claim|visibility)",
        _W(Op.NOTED, Stand.NONE),
    ),
    (r"(^|_)(panic|traceback|segfault|core_dump)|(unhandled|uncaught)_", _W(Op.NOTED, Stand.NONE)),
    (
        r"(?<!ack)(^|_)deadline|timed?_?out_after|(^|_)no_(answer|response|reply)",
        _W(Op.FAILED, Stand.FAILED, -1),
    ),
    (
        r"(en_?queue|queue|push|(^|_)put|publish|produc\w*|send_?message|put_record|hand_?over|outbox|broker|sqs|redis|kafka|rabbit|amqp)(?!\w*retr)\w*_"
        r"(fail|error|refus|time[d_]*out|lost|reject|unavailable)|"
        r"(fail|error|unable|could_not|couldn_t|can_?not)\w*_(to_)?((signal|notify|wake)_)?(the_)?((en_?)?queue|push|publish|produce|hand_over|schedule_(an?_|the_|its_)?(job|task|trigger|message))|in_after_commit|not_enqueued|(^|_)add_(job_)?fail",
        _W(Op.NOT_QUEUED, Stand.NONE),
    ),
    (
        r"(could_not|can_?not|unable_to|fail(ed|ure)?_to)_(\w+_)?(retr|delay|re_?sched)|"
        r"(delay|re_?sched)\w*_(fail|error)",
        _W(Op.NOTED, Stand.NONE),
    ),
    (
        r"exhaust|^exh$|(^|_)all_(\w+_)?(attempts|retries|tries)_(have_|has_)?(failed|spent)$|^spent$|^used_up$|(^|_)used_(up_)?all_(its_|the_)?(max_)?(attempts|retries|tries)$|(^|_)out_of_(goes|turns|chances|lives|runs|tries|legs|rounds|shots|hops|calls|sends)|(^|_)no_(more_)?\w{2,12}_left$|(attempts?|retries|tries)_(limit|exceeded|used|reached)|(attempt|retry)_limit|max(imum)?_?(number_of_)?(\w+_)?(attempt|retr|tries|receive_?count|deliver)|retr\w*_(exceeded|used)|out_of_(retr|attempt)|no_more_retr",
        _W(Op.EXHAUSTED, Stand.EXHAUSTED),
    ),
    (
        r"re_?deliver\w*_(\w+_)?(poison|fail|kill)|stuck_(\w+_)?(reap|fail|kill)|"
        r"(fail|kill)\w*_(\w+_)?(as_)?(stuck|stale_lock)|"
        r"((lease|lock|claim|visib\w*|heartbeat)_\w*(expir|lost|laps|time[d_]*out|ran_out)|stall|idle_(past|longer|for|over)\w*)\w*_(mark\w*|set|as|now|so)_(as_|to_)?fail|"
        r"(rescue|orphan|recover|reap|sweep|last_seen|stuck|zombie|lost)\w*_(\w+_)?(mark\w*|set|counted)_(as_)?fail|"
        r"stall\w*_(more|too)_(than|often|many)|(^|_)no_(word|sign)_(\w+_)?(given|gave|giving)_up|"
        r"(did_not|didn_t|never|not)_(finish|complet|return|end|answer)\w*_(\w+_)?(mark\w*|set|as|so)_(as_)?fail",
        _W(Op.LAPSED, Stand.FAILED),
    ),
    (
        r"dead(?!line|lock)|dlq|dlx|dlt|parking_lot|bury|buried|quarantin|poison|morgue|graveyard|cemeter|interred|entombed|(^|_)(writ\w*|wrote)_off|g[ia]v(e|en|ing)_?up|abandon|undeliverable|"
        r"(perm\w*|terminal\w*|final\w*|hard)_?(fail|error|reject)|fail\w*_(perm|terminal|final)|killed",
        _W(Op.DEAD, Stand.DEAD),
    ),
    (
        r"(^|_)(tak(e|en|ing)|took)_(it_)?back$|"
        r"(^|_)interrupt(ed)?_(after|while|during|error|by)|(job|task|worker|run)_(was_)?interrupted|"
        r"(^|_)los[te]\w*_(the_|its_|my_)?(lease|lock|claim|ownership)(_|$)|"
        r"(^|_)(lease|lock|visib\w*|claim|heartbeat|reservation|ownership|hold(er)?|ack)_?\w{0,24}"
        r"(expir|exceed|lost|laps|ran_out|time[d_]*out|steal|stol|gone|missed|broken)|stall|orphan|zombie|"
        r"expired?_(lease|lock|claim)|(^|_)no_(word|sign)_(on|from|of)_|idle_(past|longer|over)|^lost$|(lease|lock|claim|hold)_(is_)?(out|over|up)(_push\w*|_re_?queu\w*|_hand\w*|_giv\w*|_put\w*)?$|(^|_)lapse[ds]?(_|$)|reap(ed)?$|rebalanc|partitions?_revoked|revoked_partition",
        _W(Op.LAPSED, Stand.NONE),
    ),
    (
        r"(re_?claim|re_?acquir|re_?lease_(by|to)|take_?over|took_?over|steal|stolen)",
        _W(Op.CLAIMED, Stand.LEASED),
    ),
    (
        r"(disabled|inactive|not_found|unknown|no_endpoint)\w*_(skip|ignor|dropp|discard)|"
        r"(job|record|task|row|delivery)_not_(created|enqueued|queued|scheduled|published|made)",
        _W(Op.DISCARDED, Stand.GONE),
    ),
    (
        r"(delet|remov|discard|dropp|purg|clear|withdr)\w*_(manual|by_(the_)?"
        r"(user|admin|operator|owner|customer|merchant|tenant|support|staff|ops|hand|person|human))",
        _W(Op.CANCELLED, Stand.CANCELLED),
    ),
    (  # there is nobody to send it to, and so the entry is done with
        r"(endpoint|target|subscri\w*|destination|hook|receiver)_(is_|was_)?"
        r"(inactive|not_active|disabled|deleted|gone|missing|removed|not_found|suspended|paused|off)"
        r"_(\w+_)?(ack|finish|complet|settl|drop|delet)",
        _W(Op.DISCARDED, Stand.GONE),
    ),
    (  # somebody is at it, and so the entry is done with
        r"in_(progress|flight)_(\w+_)?(ack|finish|complet|settl|drop|delet)",
        _W(Op.SKIPPED, Stand.GONE),
    ),
    (
        r"(intake|accept|receiv|submit|publish|register|creat)\w*_(again|twice|once_more|repeated)$|"
        r"^(post|request|submission|publish|event)_(was_|is_)?repeated(_|$)|(^|_)key_(is_|was_)?(known|used|seen)(_|$)",
        _W(Op.SKIPPED, Stand.GONE),
    ),
    (  # whoever is late may not say any more what came of it
        r"(^|_)n?acks?(nowledge(d|ment))?_(was_|is_)?(refus|reject|den|ignor|stale|late|too_late|lost)|"
        r"(^|_)late_n?ack(_|$)|(^|_)nack_(error|fail)",
        _W(Op.NOTED, Stand.NONE),
    ),
    (  # whether the queue has it nobody knows
        r"(publish|enqueue|hand_?over|push|produce|send)\w*_(was_|is_)?(un(confirmed|acked|acknowledged)|not_(confirmed|acked|acknowledged))",
        _W(Op.NOT_QUEUED, Stand.NONE),
    ),
    (  # somebody is at it
        r"(lock|lease|claim|mutex)_(was_|is_)?(refused|denied|not_granted|not_obtained|busy|held_elsewhere)",
        _W(Op.SKIPPED, Stand.GONE),
    ),
    (  # no request was made; the reason beside it says why, and other lines what becomes of it
        r"^(\w+_)?(not_(yet_)?sent|unsent|no_request(_made)?|request_not_(made|sent))$",
        _W(Op.SKIPPED, Stand.NONE),
    ),
    (  # an announced policy, as a person would
        r"(discard|dropp|suppress|skipp|mute|filter)\w*_by_(the_|a_)?(policy|rule)(_|$)",
        _W(Op.CANCELLED, Stand.CANCELLED),
    ),
    (
        r"not_(posting|delivering|calling|requesting)|lock_is_(taken|held)|not_accepting|idempoten\w*_(\w+_)?(in_?progress|exist|hit|found|seen|replay|conflict)|lock_held|lock_not_acquired|"
        r"not_acquired|(key|marker|flag|record)_(exists|present|found)|not_(send|sent|sending|queued)_again|nothing_to_do|passed_over|skip|dedup|dupl|already|seen_before|(replay|return)\w*_(stored|idempot)|ignor|no_?op\b|suppress|filtered|swallow",
        _W(Op.SKIPPED, Stand.GONE),
    ),
    (
        r"discard|dropp|drop$|unroutable|no_target|missing_target|not_subscribed|"
        r"no_(active_|enabled_|matching_)?(endpoint|subscri|destination|receiver|route|consumer)|nothing_to_send",
        _W(Op.DISCARDED, Stand.GONE),
    ),
    (
        r"(value|data|field|string)_too_(long|large|big)|data_(right_)?truncat",
        _W(Op.FAILED, Stand.FAILED, -1),
    ),
    (
        r"purg|delet|(^|_)ttl|retention|expung|evict|truncat|vacuum|garbage|(^|_)gc($|_)|clean|remov",
        _W(Op.PURGED, Stand.GONE),
    ),
    (
        r"cancel|recall|withdr[ae]w|revok|abort|waiv|(^|_)void|call\w*_(it_)?off|rescind|retract",
        _W(Op.CANCELLED, Stand.CANCELLED),
    ),
    (
        r"un_?park|resum|re_?driv|re_?play|(^|_)re_?sen[dt]|reviv|re_?enabl|un_?paus|recover",
        _W(Op.RESUMED, Stand.WAITING),
    ),
    (
        r"park|paus|(set|put|laid)_aside|^aside$|suspend|on_hold|held$|disabled",
        _W(Op.PARKED, Stand.PARKED),
    ),
    (
        r"throttl|rate_limit|postpon|(^|_)put_off|defer|snooz|delay|(circuit|breaker)_(\w+_)?(open|tripped)(_|$)",
        _W(Op.POSTPONED, Stand.WAITING),
    ),
    (
        r"(fail|error|time[d_]*out)\w*_?(will_)?retr|retr\w*_?(fail|error)",
        _W(Op.FAILED, Stand.FAILED, -1),
    ),
    (
        r"retr[iy]|re_?sched|back_?off|nack|re_?queue|re_?enqueue|re_?attempt|schedule_next|^try_again$",
        _W(Op.RETRY, Stand.WAITING),
    ),
    (
        # a request ended; its status says how
        r"(attempt|request|call|http|post)_(finish|end|complet|done|return)\w*$",
        _W(Op.ATTEMPTED, Stand.NONE),
    ),
    (
        r"(record|message)s?_(was_)?(sent|produced|appended)(_to_(the_)?(topic|kafka|queue|broker)\w*)?$|"
        r"^produced(_to_\w+)?$",
        _W(Op.QUEUED, Stand.WAITING),
    ),
    (
        r"records?_(received|polled|consumed|fetched)$|^(consumed|polled)$",
        _W(Op.CLAIMED, Stand.LEASED),
    ),
)
