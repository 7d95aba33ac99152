"""What other systems call the fields of a delivery log."""

from __future__ import annotations

import re
from typing import Final

#: how an endpoint stands, and not a delivery to it: it may be why nothing was sent
OF_RECEIVER: Final = re.compile(
    r"(sub|subscription|subscriber|endpoint|ep|target|destination|dest|receiver|recipient)_(state|status)"
)
_NAMED_BY: Final = r"_(id|key|ref|no|nr|num|number|uuid|uid|guid|code|name)"
#: fields that name a thing → what the thing is called, and how it is named: `parcel_no`
COMPOSED: Final = {
    "delivery": re.compile(
        r"(web_?hook_)?(delivery|dispatch|notification|notice|postback|callback|push|parcel|envelope|"
        r"outbox|job|task)" + _NAMED_BY
    ),
    "message": re.compile(r"(message|msg|event|evt|payload)" + _NAMED_BY),
    "endpoint": re.compile(
        r"(endpoint|target|destination|subscription|subscriber|receiver|recipient|partner|listener|sink|"
        r"route)" + _NAMED_BY
    ),
    "reason": OF_RECEIVER,
    "actor": re.compile(
        r"(actor|operator|initiator|initiated_by|requested_by|performed_by|changed_by|cancell?ed_by|by|admin)"
        r"_(login|user(_?name)?|e?mail|name|id|handle|principal|subject|sub)|user_(login|e?mail|name)"
    ),
}
#: canonical field → names other systems use (normalised), the most telling first
_NAMES: Final = {
    "delivery": (
        "delivery_id delivery webhook_delivery_id deliveries_id delivery_ids deliveries deliveryid job_id jobid task_id "
        "notification_id dispatch_id outbox_id queue_item_id work_id item_id dlv d dlv_id "
        "deliv_id job task delivery_uuid delivery_key record_id delivery_ref notification_ref webhook_ref ntf_ref ntf_id notif_id delivery_no notification_no notification_key job_key wid ref "
        "subject_id entity_id "
        "id_envio envio id_entrega entrega zustellung zustellung_id auftrag auftrags_id jid guid tarea "
        "identifiant_de_livraison livraison id_livraison id_da_entrega id_consegna consegna dispatch"
    ),
    "message": (
        "message_id msg_id event_id evt_id messageid msgid eventid payload_id event_uuid "
        "message_uuid payment_id order_id transaction_id event_ref source_event "
        "correlation_id external_id mid eid event_key uid "
        "id_evento ereignis_id mensaje_id nachricht_id"
    ),
    "endpoint": (
        "endpoint_id endpoint subscription_id destination_id destination target_id target "
        "webhook_id hook_id receiver receiver_id subscriber_id subscriber url target_url "
        "callback_url endpoint_url webhook_url sink ep dest subscription consumer_url "
        "ep_id endp_id hook host_name route route_id "
        "empfaenger ziel destino receptor "
        "destinataire destinatario empfaenger_id recepteur"
    ),
    "app": (
        "app_id application_id tenant_id tenant account_id account merchant_id merchant "
        "org_id organization_id customer_id customer project_id workspace_id team_id app "
        "application org shop shop_id client_id"
    ),
    "event_type": (
        "event_type eventtype type topic event_name kind message_type notification_type "
        "category evt_type subject"
    ),
    "at": (
        "at ts time timestamp t_wall at_us logged_at event_time occurred_at date datetime "
        "when t at_ms ts_ms ts_us wall_time log_time attempted_at executed_at recorded_at "
        "wall created created_at clock epoch_ms time_ms changed_at emitted_at eventtime "
        "unix_time tstamp "
        "fecha zeitpunkt zeit hora datum fecha_hora epoch stamp sent delivered_at "
        "time_local local_time time_iso8601 msec event_ts event_timestamp log_timestamp asctime "
        "horodatage data_hora momento quando ora zeitstempel logged time_unix_nano inserted_at moved_at"
    ),
    "accepted_at": (
        "accepted_at created_at received_at enqueued_at inserted_at created accepted "
        "ingested_at published_at creation_time submitted_at event_created_at created_on "
        "createdat accepted_ts created_ts queued_at create_time date_created "
        "creado_en erstellt_am "
        "recu_a criado_em creato_il eingegangen_am"
    ),
    "changed_at": (
        "updated_at last_attempt_at modified_at last_updated changed_at updated last_tried_at "
        "last_modified updated_on last_attempted_at attempted_at update_time last_run_at "
        "last_change_at date_updated state_since status_since state_changed_at status_changed_at "
        "state_updated_at status_updated_at last_transition_at "
        "modified actualizado_en geaendert_am "
        "dernier_essai letzter_versuch zuletzt_geaendert"
    ),
    "finished_at": (
        "delivered_at finished_at completed_at finalized_at closed_at ended_at succeeded_at sent_at done_at acked_at "
        "finish_time response_at responded_at end_time end_ts end ended finished completed "
        "published_at processed_at dispatched_at end_time_unix_nano zugestellt_am entregado_en livre_a"
    ),
    "started_at": (
        "started_at begun_at start_time request_started_at start start_ts claimed_at "
        "request_at requested_at locked_at started begun "
        "start_time_unix_nano picked_at begonnen_um"
    ),
    "op": (
        "op operation action transition activity step event ev evt e mt message_template what change verb log_event phase "
        "entry stage msg message lifecycle log_type record_type entry_type name kind type "
        "vorgang ereignis accion aktion suceso "
        "act action_type evenement evento etape stato_evento state_change text body says happening occurrence"
    ),
    "from_state": (
        "from_state old_state prev_state previous_state state_before from_status old_status "
        "from prev_status before previous_status state_from status_before fr frm before_state "
        "before_status was"
    ),
    "to_state": (
        "to_state new_state state_after to_status new_status state to status delivery_status "
        "current_state after job_state lifecycle_state status_after state_to delivery_state "
        "current_status row_state state_now status_now after_state after_status now "
        "estado zustand situacion st neuer_zustand nuevo_estado phase_after "
        "etat statut stato"
    ),
    "worker": (
        "worker worker_id wrk w proc holder member locked_by consumer consumer_id process node pid runner "
        "instance owner claimed_by dequeued_by last_dequeued_by host hostname pod worker_name lease_holder processor "
        "dispatcher holder_id lease_owner thread agent executor by_worker server machine machine_name "
        "knoten nodo trabajador arbeiter who tid processed_by locked_by_worker member_id "
        "thread_name serveur servidor bearbeiter travailleur consumer_id locked_by_id attempted_by host_name member service_instance_id"
    ),
    "boot": "boot_id boot incarnation process_start_id worker_boot holder_boot_id",
    "version_before": (
        "version_before row_version_before read_version old_version expected_version "
        "ver_before prev_version"
    ),
    "version_after": (
        "version_after row_version_after version row_version write_version new_version "
        "lock_version rev revision etag ver ver_after rv"
    ),
    "rows_written": (
        "rows_written cas_rows affected_rows rows_affected updated_rows cas_ok row_count rows "
        "rowcount cas applied"
    ),
    "epoch": (
        "lease_epoch epoch fencing_token generation lease_no lease_id fence token lease_token lease ticket ticket_no"
    ),
    "ready_at": "ready_at_us ready_at",
    "due": (
        "due_at next_retry_at next_attempt_at run_at scheduled_at visible_at retry_at "
        "available_at eta not_before next_try_at next_run_at scheduled_for due next_retry "
        "next_attempt retry_due deliver_after process_after nextretryat next_at "
        "proximo_intento naechster_versuch faellig faellig_am next_run again retry_after_at "
        "prochaine_tentative proxima_tentativa prossimo_tentativo naechster_versuch_am then visible_at next_visible_at retry_after_time will_retry_at "
        "next_redelivery_at redeliver_at next_delivery_at resume_at resumes_at hold_until wake_at"
    ),
    "lease_until": (
        "lease_expires_at locked_until lease_until lck visibility_deadline lease_expiry lease_end "
        "claim_expires_at lock_expires_at lease_deadline visible_after lease_expires lock_expires "
        "leased_until lock_expires lock_expires_at claim_until hold_until held_until reserved_until claimed_until"
    ),
    "attempt": (
        "attempt_no attempt attempt_number att_no attempts try tries n_attempts attempt_count "
        "attempts_made try_no delivery_attempt attempt_num attempt_index num_attempts tried "
        "total_attempts attempts_count "
        "versuch intento intentos versuche round "
        "tentative tentativa tentativo essai receive_count delivery_count approximate_receive_count attempts_made n nth"
    ),
    "retries": "retry_count retries retry_no retry num_retries retry_number retries_done",
    "max_attempts": "max_attempts attempts_max max_retries retry_limit attempt_limit max_tries max_attempt max_try max_retry max_retry_count allowed_attempts attempts_allowed of",
    "attempt_id": "attempt_id attemptid request_id try_id attempt_uuid atmpt",
    "status": (
        "status_code http_status response_code response_status response_status_code status "
        "c "
        "code http_code last_status_code last_http_status httpstatus statuscode last_status "
        "last_response_code resp_code http last_response_status resp_status rc response "
        "http_response_code answer last_answer answer_code "
        "antwort codigo_http http_status_recibido codigo respuesta "
        "code_http http_status_code codigo_de_http statut_http code_reponse stato_http"
    ),
    # of what an answer such as 207 is made of
    "inner_status": (
        "item_status inner_status part_status body_status record_status item_code inner_code body_code"
    ),
    "total_ms": (
        "duration latency total elapsed took response_time duration_ms latency_ms total_ms "
        "elapsed_ms took_ms response_ms response_time_ms total_us duration_us duration_s "
        "response_duration_ms rtt_ms response_total_ms latency_us request_ms "
        "request_time upstream_response_time time_taken runtime "
        "dauer duree duracion duracao durata took_s ms"
    ),
    "first_byte_ms": "first_byte_us first_byte_ms ttfb_ms ttfb response_first_byte_ms",
    "outcome": (
        "outcome result success ok succeeded is_success verdict delivered attempt_result ergebnis resultado"
    ),
    "reason": (
        "reason error err er why last_error error_message failure_reason failed_reason detail note cause "
        "error_code error_class error_type error_kind exception_class details comment exception dead_reason info "
        "fehler grund motivo causa message msg text "
        "erreur errore erro motif errors err_msg detail exc because trouble problem exc_type description"
    ),
    "note": (
        "message msg note notes detail details description comment text info error_message "
        "last_error exception error reason cause log_message mensaje nachricht hinweis "
        "remark remarks explanation summary returnvalue return_value output"
    ),
    "actor": (
        "actor by user usr cause_actor initiator performed_by cancelled_by triggered_by removed_by deleted_by "
        "discarded_by closed_by disabled_by suspended_by paused_by deactivated_by stopped_by muted_by policy rule policy_name policy_id person operator"
    ),
    "build": (
        "build deploy release git_sha app_version commit_sha deploy_id software_version image"
    ),
    "config": "config_version config config_rev policy_version",
    "bytes": (
        "request_bytes bytes payload_bytes size body_bytes payload_size request_sent_bytes "
        "body_size"
    ),
    "sequence": "sequence seq seq_no line_no lsn log_seq offset",
    "removed_at": (
        "removed_at purged_at deleted_at expunged_at pruned_at evicted_at archived_at soft_deleted_at "
        "purged_on deleted_on removed_on"
    ),
    "queued_at": "queued_at enqueued_at queued_on enqueued_on",
    "committed_at": "committed_at commit_at commit_time committed_ts commit_ts tx_committed_at",
    "commit_lag_ms": (
        "commit_lag_ms tx_ms transaction_ms commit_ms tx_duration_ms ingest_ms txn_ms "
        "commit_delay_ms ingest_tx_ms"
    ),
    "queue": (
        "topic queue queue_name topic_name routing_key destination_queue target_queue to_queue to_topic "
        "stream_name exchange queue_url queue_arn"
    ),
    "job": "job_class activity_type job_type task_type job_name task_name job activity task class command",
    "pending": "pending_webhooks pending_deliveries",
    "dead_letter": (
        "dead_letter_id dead_letter_key dead_letter_ref dead_letter_no dead_letter_entry_id "
        "dlq_id dlq_key dlq_ref dlq_message_id dlq_entry_id"
    ),
    "intake": "request_path path uri route",
    "trace": (
        "trace_id traceid trace correlation_id jid job_id task_id run_id request_id execution_id "
        "span_id provider_job_id task job run"
    ),
    "dead_at": (
        "dead_at failed_at discarded_at dead_lettered_at given_up_at abandoned_at exhausted_at "
        "moved_to_dlq_at buried_at gave_up_at"
    ),
    "cancelled_at": "cancelled_at canceled_at withdrawn_at deleted_at revoked_at",
    "delay": (
        "delay delay_ms delay_s backoff backoff_ms backoff_s retry_in retry_in_s retry_in_ms "
        "retry_delay retry_delay_ms countdown wait wait_ms next_retry_in next_attempt_in "
        "delay_seconds backoff_seconds retry_after retry_after_s in in_s in_ms"
    ),
    "monotonic": "mono_us t_mono monotonic mono mono_ms mono_ns",
    "attempt_trigger": "trigger trigger_type",
}
SYNONYMS: Final = {field: tuple(names.split()) for field, names in _NAMES.items()}
