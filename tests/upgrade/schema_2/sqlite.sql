BEGIN TRANSACTION;
CREATE TABLE ledger (chain_id text, position integer, token bigint, PRIMARY KEY (chain_id, position, token));
INSERT INTO "ledger" VALUES('019ac0de-001a-7000-8000-00000000001a',0,4611686018427387904);
INSERT INTO "ledger" VALUES('019ac0de-001b-7000-8000-00000000001b',0,4611686018427387907);
INSERT INTO "ledger" VALUES('019ac0de-001c-7000-8000-00000000001c',0,4611686018427387908);
INSERT INTO "ledger" VALUES('019ac0de-001c-7000-8000-00000000001c',1,4611686018427387910);
INSERT INTO "ledger" VALUES('019ac0de-001c-7000-8000-00000000001c',2,4611686018427387911);
INSERT INTO "ledger" VALUES('019ac0de-001e-7000-8000-00000000001e',0,4611686018427387912);
INSERT INTO "ledger" VALUES('019ac0de-0025-7000-8000-000000000025',0,4611686018427387917);
INSERT INTO "ledger" VALUES('019ac0de-0010-7000-8000-000000000010',0,4611686018427387929);
INSERT INTO "ledger" VALUES('019ac0de-0011-7000-8000-000000000011',0,4611686018427387938);
INSERT INTO "ledger" VALUES('019ac0de-0024-7000-8000-000000000024',0,4611686018427387939);
CREATE TABLE "otelq_attempt" (
    chain_id   TEXT NOT NULL,
    position   INTEGER NOT NULL,
    token      INTEGER NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0,
    number     INTEGER NOT NULL,
    verb       TEXT NOT NULL,
    worker     TEXT,
    claimed_at INTEGER,
    ended_at   INTEGER NOT NULL,
    error_type TEXT,
    error_text TEXT,
    trace      TEXT,
    PRIMARY KEY (chain_id, position, token)
) STRICT;
INSERT INTO "otelq_attempt" VALUES('019ac0de-001b-7000-8000-00000000001b',0,4611686018427387905,0,1,'retry','a worker of then',1796043927554587,1796043927561556,'builtins.ValueError','ключ 👩‍🚀 é שלום   \ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …','{"c":"00-c253ff1217d556154af3d6fe727af58e-0f8540a5fce52b51-03"}');
INSERT INTO "otelq_attempt" VALUES('019ac0de-001b-7000-8000-00000000001b',0,4611686018427387906,0,2,'retry','a worker of then',1796043927567113,1796043927570577,'builtins.ValueError','ключ 👩‍🚀 é שלום   \ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …','{"c":"00-c253ff1217d556154af3d6fe727af58e-0f8540a5fce52b51-03"}');
INSERT INTO "otelq_attempt" VALUES('019ac0de-001c-7000-8000-00000000001c',1,4611686018427387909,0,1,'retry','a worker of then',1796043927618711,1796043927628113,'builtins.ValueError','ключ 👩‍🚀 é שלום   \ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …',NULL);
INSERT INTO "otelq_attempt" VALUES('019ac0de-001f-7000-8000-00000000001f',0,4611686018427387913,0,1,'retry','a worker of then',1796043927736973,1796043927739566,'builtins.ValueError','ключ 👩‍🚀 é שלום   \ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …','{"c":"00-c253ff1217d556154af3d6fe727af58e-3b3fc13de70f8eb1-03"}');
INSERT INTO "otelq_attempt" VALUES('019ac0de-0022-7000-8000-000000000022',0,4611686018427387915,0,1,'cancel','a worker of then',1796043927833005,1796043927840686,NULL,NULL,NULL);
INSERT INTO "otelq_attempt" VALUES('019ac0de-0025-7000-8000-000000000025',0,4611686018427387916,0,1,'take_over','a worker of then',1796043927903466,1796043927924666,NULL,NULL,NULL);
INSERT INTO "otelq_attempt" VALUES('019ac0de-0006-7000-8000-000000000006',0,4611686018427387920,0,1,'reap','a worker of then',1796043928227849,1796043928234699,'otelq.lease_lost','the lease of a worker of then ran out in attempt 1',NULL);
INSERT INTO "otelq_attempt" VALUES('019ac0de-0006-7000-8000-000000000006',0,4611686018427387921,0,2,'reap','a worker of then',1796043928235785,1796043928246729,'otelq.lease_lost','the lease of a worker of then ran out in attempt 2',NULL);
INSERT INTO "otelq_attempt" VALUES('019ac0de-0007-7000-8000-000000000007',0,4611686018427387922,0,1,'retry','a worker of then',1796043928260303,1796043928264727,'builtins.ValueError','ключ 👩‍🚀 é שלום   \ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …','{"c":"00-c253ff1217d556154af3d6fe727af58e-ad4e89175918cb0d-03"}');
INSERT INTO "otelq_attempt" VALUES('019ac0de-0007-7000-8000-000000000007',0,4611686018427387923,0,2,'retry','a worker of then',1796043928277645,1796043928294409,'builtins.ValueError','ключ 👩‍🚀 é שלום   \ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …','{"c":"00-c253ff1217d556154af3d6fe727af58e-ad4e89175918cb0d-03"}');
INSERT INTO "otelq_attempt" VALUES('019ac0de-0007-7000-8000-000000000007',0,4611686018427387924,0,3,'retry','a worker of then',1796043928314829,1796043928352944,'builtins.ValueError','ключ 👩‍🚀 é שלום   \ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …','{"c":"00-c253ff1217d556154af3d6fe727af58e-ad4e89175918cb0d-03"}');
INSERT INTO "otelq_attempt" VALUES('019ac0de-0008-7000-8000-000000000008',0,4611686018427387925,0,1,'retry','a worker of then',1796043928371317,1796043928395689,'builtins.ValueError','ключ 👩‍🚀 é שלום   \ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …','{"c":"00-c253ff1217d556154af3d6fe727af58e-d18d87720bb25200-03"}');
INSERT INTO "otelq_attempt" VALUES('019ac0de-0008-7000-8000-000000000008',0,4611686018427387926,0,2,'snooze','a worker of then',1796043928423210,1796043928442400,NULL,NULL,'{"c":"00-c253ff1217d556154af3d6fe727af58e-d18d87720bb25200-03"}');
INSERT INTO "otelq_attempt" VALUES('019ac0de-0008-7000-8000-000000000008',0,4611686018427387927,0,2,'snooze','a worker of then',1796043928483666,1796043928496094,NULL,NULL,'{"c":"00-c253ff1217d556154af3d6fe727af58e-d18d87720bb25200-03"}');
INSERT INTO "otelq_attempt" VALUES('019ac0de-0009-7000-8000-000000000009',0,4611686018427387928,0,1,'release','a worker of then',1796043928943719,1796043928965184,NULL,NULL,'{"c":"00-c253ff1217d556154af3d6fe727af58e-b44d2e658e54510b-03"}');
INSERT INTO "otelq_attempt" VALUES('019ac0de-0017-7000-8000-000000000017',0,4611686018427387930,1,1,'retry','a worker of then',1796043929517679,1796043929610821,'builtins.ValueError','ключ 👩‍🚀 é שלום   \ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …','{"c":"00-c253ff1217d556154af3d6fe727af58e-8af3d2016c9d71e7-03"}');
INSERT INTO "otelq_attempt" VALUES('019ac0de-0018-7000-8000-000000000018',0,4611686018427387932,1,1,'retry','a worker of then',1796043930043162,1796043930114878,'builtins.ValueError','ключ 👩‍🚀 é שלום   \ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …','{"c":"00-c253ff1217d556154af3d6fe727af58e-cdd4894e55e76dd9-03"}');
INSERT INTO "otelq_attempt" VALUES('019ac0de-0018-7000-8000-000000000018',0,4611686018427387934,2,1,'retry','a worker of then',1796043930376112,1796043930501455,'builtins.ValueError','ключ 👩‍🚀 é שלום   \ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …','{"c":"00-c253ff1217d556154af3d6fe727af58e-cdd4894e55e76dd9-03"}');
INSERT INTO "otelq_attempt" VALUES('019ac0de-000e-7000-8000-00000000000e',0,4611686018427387936,0,1,'retry','a worker of then',1796043931044099,1796043931200149,'builtins.ValueError','ключ 👩‍🚀 é שלום   \ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …','{"c":"00-c253ff1217d556154af3d6fe727af58e-2d485b3b7861229c-03"}');
INSERT INTO "otelq_attempt" VALUES('019ac0de-000e-7000-8000-00000000000e',0,4611686018427387937,0,2,'block','a worker of then',1796043931211746,1796043931237215,NULL,NULL,'{"c":"00-c253ff1217d556154af3d6fe727af58e-2d485b3b7861229c-03"}');
CREATE TABLE "otelq_blocker" (
    chain_id    TEXT NOT NULL,
    position    INTEGER NOT NULL,
    ordinal     INTEGER NOT NULL,
    blocker_id  TEXT NOT NULL,
    waits       INTEGER NOT NULL DEFAULT 0,
    awaited_at  INTEGER,
    released_at INTEGER,
    PRIMARY KEY (chain_id, position, ordinal)
) STRICT, WITHOUT ROWID;
INSERT INTO "otelq_blocker" VALUES('019ac0de-000a-7000-8000-00000000000a',0,0,'019ac0de-0001-7000-8000-000000000001',0,1796043930816397,NULL);
INSERT INTO "otelq_blocker" VALUES('019ac0de-000a-7000-8000-00000000000a',0,1,'019ac0de-0003-7000-8000-000000000003',0,1796043930816397,NULL);
INSERT INTO "otelq_blocker" VALUES('019ac0de-000b-7000-8000-00000000000b',0,0,'019ac0de-0003-7000-8000-000000000003',0,1796043930870453,NULL);
INSERT INTO "otelq_blocker" VALUES('019ac0de-000b-7000-8000-00000000000b',0,1,'019ac0de-0002-7000-8000-000000000002',0,1796043930870453,NULL);
INSERT INTO "otelq_blocker" VALUES('019ac0de-000c-7000-8000-00000000000c',0,0,'019ac0de-001f-7000-8000-00000000001f',0,NULL,1796043930924343);
INSERT INTO "otelq_blocker" VALUES('019ac0de-000c-7000-8000-00000000000c',0,1,'019ac0de-0001-7000-8000-000000000001',0,1796043930924343,NULL);
INSERT INTO "otelq_blocker" VALUES('019ac0de-000d-7000-8000-00000000000d',0,0,'019ac0de-001f-7000-8000-00000000001f',1,1796043931002280,NULL);
INSERT INTO "otelq_blocker" VALUES('019ac0de-000e-7000-8000-00000000000e',0,0,'019ac0de-0001-7000-8000-000000000001',0,1796043931237215,NULL);
INSERT INTO "otelq_blocker" VALUES('019ac0de-000e-7000-8000-00000000000e',0,1,'019ac0de-001f-7000-8000-00000000001f',0,NULL,1796043931237215);
INSERT INTO "otelq_blocker" VALUES('019ac0de-000f-7000-8000-00000000000f',0,0,'019ac0de-0024-7000-8000-000000000024',0,1796043931504454,NULL);
INSERT INTO "otelq_blocker" VALUES('019ac0de-0011-7000-8000-000000000011',1,0,'019ac0de-0003-7000-8000-000000000003',0,1796043931442841,NULL);
INSERT INTO "otelq_blocker" VALUES('019ac0de-0011-7000-8000-000000000011',1,1,'019ac0de-001a-7000-8000-00000000001a',0,NULL,1796043931442841);
INSERT INTO "otelq_blocker" VALUES('019ac0de-0020-7000-8000-000000000020',0,0,'019ac0de-001f-7000-8000-00000000001f',0,NULL,1796043927780764);
CREATE TABLE "otelq_dedup_key" (
    type     TEXT NOT NULL,
    key      TEXT NOT NULL,
    chain_id TEXT NOT NULL UNIQUE,
    taken_at INTEGER NOT NULL,
    lasting  INTEGER NOT NULL,
    PRIMARY KEY (type, key)
) STRICT, WITHOUT ROWID;
INSERT INTO "otelq_dedup_key" VALUES('key_held','key','019ac0de-0012-7000-8000-000000000012',1796043929257993,0);
INSERT INTO "otelq_dedup_key" VALUES('key_lasts','ключ 👩‍🚀 é שלום   \ " '' ; -- {schema} $1 %s','019ac0de-001e-7000-8000-00000000001e',1796043927704078,1);
CREATE TABLE "otelq_job" (
    chain_id      TEXT NOT NULL,
    position      INTEGER NOT NULL CHECK (position >= 0),
    type          TEXT NOT NULL,
    queue         TEXT NOT NULL,
    input         TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    trace         TEXT,
    meta          TEXT,
    amended_input TEXT,
    dedup_key     TEXT,
    dedup_lasting INTEGER,
    PRIMARY KEY (chain_id, position)
) STRICT;
INSERT INTO "otelq_job" VALUES('019ac0de-0023-7000-8000-000000000023',0,'expired','default','{"kind":"expired"}',1796043927330049,'{"c":"00-c253ff1217d556154af3d6fe727af58e-d71c92f56bcc5595-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-001a-7000-8000-00000000001a',0,'completed','default','{"kind":"completed"}',1796043927356352,'{"c":"00-c253ff1217d556154af3d6fe727af58e-31fea906ee4433b3-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-001b-7000-8000-00000000001b',0,'completed_late','default','{"kind":"completed_late"}',1796043927546311,'{"c":"00-c253ff1217d556154af3d6fe727af58e-0f8540a5fce52b51-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-001c-7000-8000-00000000001c',0,'completed_elsewhere','default','{"kind":"completed_elsewhere"}',1796043927590354,'{"c":"00-c253ff1217d556154af3d6fe727af58e-31b133f9c5d0abd8-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-001c-7000-8000-00000000001c',1,'next','default','"half"',1796043927608659,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-001c-7000-8000-00000000001c',2,'next','default','"done"',1796043927644894,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-001d-7000-8000-00000000001d',0,'completed_by_client','default','{"kind":"completed_by_client"}',1796043927687266,'{"c":"00-c253ff1217d556154af3d6fe727af58e-ef4d9898bc2fd552-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-001e-7000-8000-00000000001e',0,'key_lasts','default','{"kind":"key_lasts"}',1796043927704078,'{"c":"00-c253ff1217d556154af3d6fe727af58e-573d58f9fc85e008-03"}',NULL,NULL,'ключ 👩‍🚀 é שלום   \ " '' ; -- {schema} $1 %s',1);
INSERT INTO "otelq_job" VALUES('019ac0de-001f-7000-8000-00000000001f',0,'failed','default','{"kind":"failed"}',1796043927730310,'{"c":"00-c253ff1217d556154af3d6fe727af58e-3b3fc13de70f8eb1-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0020-7000-8000-000000000020',0,'failed_by_blocker','default','{"kind":"failed_by_blocker"}',1796043927780764,'{"c":"00-c253ff1217d556154af3d6fe727af58e-a7385a0e427c307e-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0021-7000-8000-000000000021',0,'cancelled','default','{"kind":"cancelled"}',1796043927796409,'{"c":"00-c253ff1217d556154af3d6fe727af58e-f5a1b84a72b774b6-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0022-7000-8000-000000000022',0,'cancelled_running','default','{"kind":"cancelled_running"}',1796043927822668,'{"c":"00-c253ff1217d556154af3d6fe727af58e-129712ee1ca53265-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0025-7000-8000-000000000025',0,'taken_over','default','{"kind":"taken_over"}',1796043927885574,'{"c":"00-c253ff1217d556154af3d6fe727af58e-35186cb0834df5e9-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0001-7000-8000-000000000001',0,'ready','default','{"kind":"ready"}',1796043928041939,'{"c":"00-c253ff1217d556154af3d6fe727af58e-eb0d88d5d0930479-03"}','{"tags":{"shop":"north","odd":"ключ 👩‍🚀 ''"},"headers":{"x-id":"\"\\\""},"tenant":"Ærø","request_id":"request 1"}',NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0002-7000-8000-000000000002',0,'ready_last','default','{"kind":"ready_last"}',1796043928069497,'{"c":"00-c253ff1217d556154af3d6fe727af58e-5983ece23f958d8b-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0019-7000-8000-000000000019',0,'unicode','default','{"ключ 👩‍🚀 é שלום   \\ \" '' ; -- {schema} $1 %s":["ключ 👩‍🚀 é שלום   \\ \" '' ; -- {schema} $1 %s","a\nb\tc",9007199254740993,-0.5,1e-300]}',1796043928081257,'{"c":"00-c253ff1217d556154af3d6fe727af58e-a3e4a93063a773f7-03"}','{"tags":{"shop":"south"}}',NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0003-7000-8000-000000000003',0,'scheduled','default','{"kind":"scheduled"}',1796043928101175,'{"c":"00-c253ff1217d556154af3d6fe727af58e-1cdd1ee533532a98-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0004-7000-8000-000000000004',0,'running','default','{"kind":"running"}',1796043928132010,'{"c":"00-c253ff1217d556154af3d6fe727af58e-8a40f83df94629ab-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0005-7000-8000-000000000005',0,'running_lost','default','{"kind":"running_lost"}',1796043928166277,'{"c":"00-c253ff1217d556154af3d6fe727af58e-9b0b63cb19168310-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0006-7000-8000-000000000006',0,'suspect','default','{"kind":"suspect"}',1796043928204809,'{"c":"00-c253ff1217d556154af3d6fe727af58e-1bcadda2e0ddc6ef-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0007-7000-8000-000000000007',0,'retried','default','{"kind":"retried"}',1796043928254068,'{"c":"00-c253ff1217d556154af3d6fe727af58e-ad4e89175918cb0d-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0008-7000-8000-000000000008',0,'snoozed','default','{"kind":"snoozed"}',1796043928360954,'{"c":"00-c253ff1217d556154af3d6fe727af58e-d18d87720bb25200-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0009-7000-8000-000000000009',0,'released','default','{"kind":"released"}',1796043928929013,'{"c":"00-c253ff1217d556154af3d6fe727af58e-b44d2e658e54510b-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0010-7000-8000-000000000010',0,'continued','default','{"kind":"continued"}',1796043929032866,'{"c":"00-c253ff1217d556154af3d6fe727af58e-e1f854a95e63191e-03"}','{"tenant":"Ærø"}',NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0010-7000-8000-000000000010',1,'next','default','{"half": 1}',1796043929204181,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0012-7000-8000-000000000012',0,'key_held','default','{"kind":"key_held"}',1796043929257993,'{"c":"00-c253ff1217d556154af3d6fe727af58e-af9c0b860d97f8e0-03"}',NULL,NULL,'key',0);
INSERT INTO "otelq_job" VALUES('019ac0de-0013-7000-8000-000000000013',0,'amended','default','{"kind":"amended"}',1796043929272288,'{"c":"00-c253ff1217d556154af3d6fe727af58e-1101224100fcd249-03"}',NULL,'["ключ 👩‍🚀 é שלום   \\ \" '' ; -- {schema} $1 %s"]',NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0014-7000-8000-000000000014',0,'amended_by_time','default','{"kind":"amended_by_time"}',1796043929292783,'{"c":"00-c253ff1217d556154af3d6fe727af58e-da02ce9aeba6d14d-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0015-7000-8000-000000000015',0,'expired_unseen','default','{"kind":"expired_unseen"}',1796043929363390,'{"c":"00-c253ff1217d556154af3d6fe727af58e-25f193b747801824-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0016-7000-8000-000000000016',0,'expires_later','default','{"kind":"expires_later"}',1796043929430441,'{"c":"00-c253ff1217d556154af3d6fe727af58e-393ee245b86d7955-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0017-7000-8000-000000000017',0,'redriven','default','{"kind":"redriven"}',1796043929462316,'{"c":"00-c253ff1217d556154af3d6fe727af58e-8af3d2016c9d71e7-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0018-7000-8000-000000000018',0,'redriven_twice','default','{"kind":"redriven_twice"}',1796043929935996,'{"c":"00-c253ff1217d556154af3d6fe727af58e-cdd4894e55e76dd9-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-000a-7000-8000-00000000000a',0,'blocked_by_all','default','{"kind":"blocked_by_all"}',1796043930816397,'{"c":"00-c253ff1217d556154af3d6fe727af58e-4be1451866c6ae0b-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-000b-7000-8000-00000000000b',0,'blocked_by_any','default','{"kind":"blocked_by_any"}',1796043930870453,'{"c":"00-c253ff1217d556154af3d6fe727af58e-60306ac48d595064-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-000c-7000-8000-00000000000c',0,'blocked_ignores_failure','default','{"kind":"blocked_ignores_failure"}',1796043930924343,'{"c":"00-c253ff1217d556154af3d6fe727af58e-1ebf3e93577e1741-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-000d-7000-8000-00000000000d',0,'blocked_waits_on','default','{"kind":"blocked_waits_on"}',1796043931002280,'{"c":"00-c253ff1217d556154af3d6fe727af58e-15f9a40f3724e679-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-000e-7000-8000-00000000000e',0,'blocked_by_handler','default','{"kind":"blocked_by_handler"}',1796043931015473,'{"c":"00-c253ff1217d556154af3d6fe727af58e-2d485b3b7861229c-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0011-7000-8000-000000000011',0,'continued_blocked','default','{"kind":"continued_blocked"}',1796043931364060,'{"c":"00-c253ff1217d556154af3d6fe727af58e-b009038bd57f52f4-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0011-7000-8000-000000000011',1,'next','default','[1]',1796043931442841,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-0024-7000-8000-000000000024',0,'released_blocker','default','{"kind":"released_blocker"}',1796043931492965,'{"c":"00-c253ff1217d556154af3d6fe727af58e-0ce9847107e0395b-03"}',NULL,NULL,NULL,NULL);
INSERT INTO "otelq_job" VALUES('019ac0de-000f-7000-8000-00000000000f',0,'pending','default','{"kind":"pending"}',1796043931504454,'{"c":"00-c253ff1217d556154af3d6fe727af58e-1da0077ffd0fd4d3-03"}',NULL,NULL,NULL,NULL);
CREATE TABLE "otelq_migration" (
    version    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;
INSERT INTO "otelq_migration" VALUES(1,'0001_storage',1796043927234480);
INSERT INTO "otelq_migration" VALUES(2,'0002_no_functions',1796043927235937);
CREATE TABLE "otelq_open_job" (
    chain_id         TEXT PRIMARY KEY,
    position         INTEGER NOT NULL,
    type             TEXT NOT NULL,
    queue            TEXT NOT NULL,
    priority         INTEGER NOT NULL,
    run_at           INTEGER NOT NULL,
    attempt          INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    crashes          INTEGER NOT NULL DEFAULT 0,
    blocked_by_count INTEGER NOT NULL DEFAULT 0 CHECK (blocked_by_count >= 0),
    waited_on        INTEGER NOT NULL DEFAULT 0,
    until            TEXT CHECK (until IS NULL OR until = 'any'),
    on_failure       TEXT CHECK (on_failure IS NULL OR on_failure IN ('ignore', 'wait')),
    expires_at       INTEGER,
    token            INTEGER,
    leased_by        TEXT,
    claimed_at       INTEGER,
    leased_until     INTEGER,
    deadline         INTEGER,
    last_trace       TEXT,
    CHECK ((token IS NULL) = (leased_until IS NULL)),
    CHECK (token IS NULL OR blocked_by_count = 0)
) STRICT, WITHOUT ROWID;
INSERT INTO "otelq_open_job" VALUES('019ac0de-0001-7000-8000-000000000001',0,'ready','default',0,1796043928041939,0,0,0,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_open_job" VALUES('019ac0de-0002-7000-8000-000000000002',0,'ready_last','default',100,1796043928069497,0,0,0,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_open_job" VALUES('019ac0de-0003-7000-8000-000000000003',0,'scheduled','default',-100,4102444800000000,0,0,0,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_open_job" VALUES('019ac0de-0004-7000-8000-000000000004',0,'running','default',0,1796043928132010,1,0,0,0,NULL,NULL,NULL,4611686018427387918,'a worker of then',1796043928148061,4102444800000000,4102444800000000,NULL);
INSERT INTO "otelq_open_job" VALUES('019ac0de-0005-7000-8000-000000000005',0,'running_lost','default',0,1796043928166277,1,0,0,0,NULL,NULL,NULL,4611686018427387919,'a worker of then',1796043928178605,1796043928178605,NULL,NULL);
INSERT INTO "otelq_open_job" VALUES('019ac0de-0006-7000-8000-000000000006',0,'suspect','default',0,1796043928246729,2,2,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_open_job" VALUES('019ac0de-0007-7000-8000-000000000007',0,'retried','default',0,1796043928352944,3,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"c":"00-c253ff1217d556154af3d6fe727af58e-ad4e89175918cb0d-03"}');
INSERT INTO "otelq_open_job" VALUES('019ac0de-0008-7000-8000-000000000008',0,'snoozed','default',0,4102444800000000,1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"c":"00-c253ff1217d556154af3d6fe727af58e-d18d87720bb25200-03"}');
INSERT INTO "otelq_open_job" VALUES('019ac0de-0009-7000-8000-000000000009',0,'released','default',0,1796043928965184,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"c":"00-c253ff1217d556154af3d6fe727af58e-b44d2e658e54510b-03"}');
INSERT INTO "otelq_open_job" VALUES('019ac0de-000a-7000-8000-00000000000a',0,'blocked_by_all','default',0,1796043930816397,0,0,2,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_open_job" VALUES('019ac0de-000b-7000-8000-00000000000b',0,'blocked_by_any','default',0,1796043930870453,0,0,2,0,'any',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_open_job" VALUES('019ac0de-000c-7000-8000-00000000000c',0,'blocked_ignores_failure','default',0,1796043930924343,0,0,1,0,NULL,'ignore',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_open_job" VALUES('019ac0de-000d-7000-8000-00000000000d',0,'blocked_waits_on','default',0,1796043931002280,0,0,1,0,NULL,'wait',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_open_job" VALUES('019ac0de-000e-7000-8000-00000000000e',0,'blocked_by_handler','default',0,1796043931237215,1,0,1,0,NULL,'ignore',NULL,NULL,NULL,NULL,NULL,NULL,'{"c":"00-c253ff1217d556154af3d6fe727af58e-2d485b3b7861229c-03"}');
INSERT INTO "otelq_open_job" VALUES('019ac0de-000f-7000-8000-00000000000f',0,'pending','default',0,1796043931638189,0,0,1,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_open_job" VALUES('019ac0de-0010-7000-8000-000000000010',1,'next','default',0,1796043929204181,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_open_job" VALUES('019ac0de-0011-7000-8000-000000000011',1,'next','default',0,1796043931442841,0,0,1,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_open_job" VALUES('019ac0de-0012-7000-8000-000000000012',0,'key_held','default',0,1796043929257993,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_open_job" VALUES('019ac0de-0013-7000-8000-000000000013',0,'amended','default',5,4102444800000000,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_open_job" VALUES('019ac0de-0014-7000-8000-000000000014',0,'amended_by_time','default',0,4102444800000000,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_open_job" VALUES('019ac0de-0015-7000-8000-000000000015',0,'expired_unseen','default',0,1796043929363390,0,0,0,0,NULL,NULL,1796043929363390,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_open_job" VALUES('019ac0de-0016-7000-8000-000000000016',0,'expires_later','default',0,1796043929430441,0,0,0,0,NULL,NULL,4102444800000000,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_open_job" VALUES('019ac0de-0017-7000-8000-000000000017',0,'redriven','default',0,1796043929838240,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"c":"00-c253ff1217d556154af3d6fe727af58e-8af3d2016c9d71e7-03"}');
INSERT INTO "otelq_open_job" VALUES('019ac0de-0018-7000-8000-000000000018',0,'redriven_twice','default',0,1796043930775218,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"c":"00-c253ff1217d556154af3d6fe727af58e-cdd4894e55e76dd9-03"}');
INSERT INTO "otelq_open_job" VALUES('019ac0de-0019-7000-8000-000000000019',0,'unicode','default',0,1796043928081257,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE "otelq_outcome" (
    chain_id   TEXT NOT NULL,
    position   INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    type       TEXT NOT NULL,
    status     TEXT NOT NULL CHECK (status IN ('completed', 'continued', 'failed', 'cancelled')),
    verb       TEXT NOT NULL,
    closed_at  INTEGER NOT NULL,
    priority   INTEGER NOT NULL,
    run_at     INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    crashes    INTEGER NOT NULL,
    output     TEXT,
    error_type TEXT,
    error_text TEXT,
    token      INTEGER,
    worker     TEXT,
    claimed_at INTEGER,
    trace      TEXT,
    until      TEXT,
    on_failure TEXT,
    PRIMARY KEY (chain_id, position, generation)
) STRICT;
INSERT INTO "otelq_outcome" VALUES('019ac0de-0023-7000-8000-000000000023',0,0,'expired','cancelled','expire',1796043927344655,0,1796043927330049,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_outcome" VALUES('019ac0de-001a-7000-8000-00000000001a',0,0,'completed','completed','complete',1796043927487840,0,1796043927356352,1,0,'{"sum": 1.50, "of": [null, true, "ü\u0041"]}',NULL,NULL,4611686018427387904,'a worker of then',1796043927363016,'{"c":"00-c253ff1217d556154af3d6fe727af58e-31fea906ee4433b3-03"}',NULL,NULL);
INSERT INTO "otelq_outcome" VALUES('019ac0de-001b-7000-8000-00000000001b',0,0,'completed_late','completed','complete',1796043927581922,0,1796043927570577,3,0,'[]',NULL,NULL,4611686018427387907,'a worker of then',1796043927572089,'{"c":"00-c253ff1217d556154af3d6fe727af58e-0f8540a5fce52b51-03"}',NULL,NULL);
INSERT INTO "otelq_outcome" VALUES('019ac0de-001c-7000-8000-00000000001c',0,0,'completed_elsewhere','continued','continue',1796043927608659,0,1796043927590354,1,0,NULL,NULL,NULL,4611686018427387908,'a worker of then',1796043927594585,'{"c":"00-c253ff1217d556154af3d6fe727af58e-31b133f9c5d0abd8-03"}',NULL,NULL);
INSERT INTO "otelq_outcome" VALUES('019ac0de-001c-7000-8000-00000000001c',1,0,'next','continued','continue',1796043927644894,-3,1796043927628113,2,0,NULL,NULL,NULL,4611686018427387910,'a worker of then',1796043927639899,NULL,NULL,NULL);
INSERT INTO "otelq_outcome" VALUES('019ac0de-001c-7000-8000-00000000001c',2,0,'next','completed','complete',1796043927662353,-3,1796043927644894,1,0,'"done"',NULL,NULL,4611686018427387911,'a worker of then',1796043927653324,NULL,NULL,NULL);
INSERT INTO "otelq_outcome" VALUES('019ac0de-001d-7000-8000-00000000001d',0,0,'completed_by_client','completed','complete_externally',1796043927696391,0,1796043927687266,0,0,'"ключ 👩‍🚀 é שלום   \\ \" '' ; -- {schema} $1 %s"',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_outcome" VALUES('019ac0de-001e-7000-8000-00000000001e',0,0,'key_lasts','completed','complete',1796043927720799,0,1796043927704078,1,0,'null',NULL,NULL,4611686018427387912,'a worker of then',1796043927709543,'{"c":"00-c253ff1217d556154af3d6fe727af58e-573d58f9fc85e008-03"}',NULL,NULL);
INSERT INTO "otelq_outcome" VALUES('019ac0de-001f-7000-8000-00000000001f',0,0,'failed','failed','fail',1796043927765151,0,1796043927739566,2,0,NULL,'builtins.ValueError','ключ 👩‍🚀 é שלום   \ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …',4611686018427387914,'a worker of then',1796043927749308,'{"c":"00-c253ff1217d556154af3d6fe727af58e-3b3fc13de70f8eb1-03"}',NULL,NULL);
INSERT INTO "otelq_outcome" VALUES('019ac0de-0020-7000-8000-000000000020',0,0,'failed_by_blocker','failed','fail_by_blocker',1796043927780764,0,1796043927780764,0,0,NULL,'otelq.blocker_failed','the blocker 019ac0de-001f-7000-8000-00000000001f ended failed',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_outcome" VALUES('019ac0de-0021-7000-8000-000000000021',0,0,'cancelled','cancelled','cancel',1796043927840686,0,1796047527796409,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_outcome" VALUES('019ac0de-0022-7000-8000-000000000022',0,0,'cancelled_running','cancelled','cancel',1796043927840686,0,1796043927822668,1,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "otelq_outcome" VALUES('019ac0de-0025-7000-8000-000000000025',0,0,'taken_over','completed','complete',1796043928012952,0,1796043927924666,2,0,'7',NULL,NULL,4611686018427387917,'a worker of then',1796043927943059,'{"c":"00-c253ff1217d556154af3d6fe727af58e-35186cb0834df5e9-03"}',NULL,NULL);
INSERT INTO "otelq_outcome" VALUES('019ac0de-0010-7000-8000-000000000010',0,0,'continued','continued','continue',1796043929204181,0,1796043929032866,1,0,NULL,NULL,NULL,4611686018427387929,'a worker of then',1796043929055476,'{"c":"00-c253ff1217d556154af3d6fe727af58e-e1f854a95e63191e-03"}',NULL,NULL);
INSERT INTO "otelq_outcome" VALUES('019ac0de-0017-7000-8000-000000000017',0,1,'redriven','failed','fail',1796043929776676,0,1796043929610821,2,0,NULL,'builtins.ValueError','ключ 👩‍🚀 é שלום   \ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …',4611686018427387931,'a worker of then',1796043929697131,'{"c":"00-c253ff1217d556154af3d6fe727af58e-8af3d2016c9d71e7-03"}',NULL,NULL);
INSERT INTO "otelq_outcome" VALUES('019ac0de-0018-7000-8000-000000000018',0,1,'redriven_twice','failed','fail',1796043930270270,0,1796043930114878,2,0,NULL,'builtins.ValueError','ключ 👩‍🚀 é שלום   \ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …',4611686018427387933,'a worker of then',1796043930186801,'{"c":"00-c253ff1217d556154af3d6fe727af58e-cdd4894e55e76dd9-03"}',NULL,NULL);
INSERT INTO "otelq_outcome" VALUES('019ac0de-0018-7000-8000-000000000018',0,2,'redriven_twice','failed','fail',1796043930726733,0,1796043930501455,2,0,NULL,'builtins.ValueError','ключ 👩‍🚀 é שלום   \ " '' ; -- {schema} $1 %s
Traceback (most recent call last):
  …',4611686018427387935,'a worker of then',1796043930654219,'{"c":"00-c253ff1217d556154af3d6fe727af58e-cdd4894e55e76dd9-03"}',NULL,NULL);
INSERT INTO "otelq_outcome" VALUES('019ac0de-0011-7000-8000-000000000011',0,0,'continued_blocked','continued','continue',1796043931442841,0,1796043931364060,1,0,NULL,NULL,NULL,4611686018427387938,'a worker of then',1796043931416857,'{"c":"00-c253ff1217d556154af3d6fe727af58e-b009038bd57f52f4-03"}',NULL,NULL);
INSERT INTO "otelq_outcome" VALUES('019ac0de-0024-7000-8000-000000000024',0,0,'released_blocker','completed','complete',1796043931638189,0,1796043931492965,1,0,'"closed"',NULL,NULL,4611686018427387939,'a worker of then',1796043931536475,'{"c":"00-c253ff1217d556154af3d6fe727af58e-0ce9847107e0395b-03"}',NULL,NULL);
CREATE TABLE "otelq_pending_unblock" (
    chain_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
INSERT INTO "otelq_pending_unblock" VALUES('019ac0de-0024-7000-8000-000000000024');
CREATE INDEX "otelq_claimable" ON "otelq_open_job" (type, priority, run_at, chain_id, expires_at, attempt)
    WHERE token IS NULL AND blocked_by_count = 0 AND crashes = 0;
CREATE INDEX "otelq_suspect" ON "otelq_open_job" (type, priority, run_at, chain_id)
    WHERE token IS NULL AND blocked_by_count = 0 AND crashes > 0;
CREATE INDEX "otelq_leased" ON "otelq_open_job" (leased_until)
    WHERE token IS NOT NULL;
CREATE INDEX "otelq_expiring" ON "otelq_open_job" (expires_at)
    WHERE expires_at IS NOT NULL AND token IS NULL AND attempt = 0 AND crashes = 0;
CREATE UNIQUE INDEX "otelq_blocks" ON "otelq_blocker" (blocker_id, chain_id, position);
CREATE INDEX "otelq_awaited" ON "otelq_blocker" (blocker_id, waits, chain_id, position)
    WHERE released_at IS NULL;
CREATE VIEW "otelq_jobs" AS
SELECT job.chain_id,
       job.position,
       job.type,
       job.queue,
       coalesce(
           (SELECT status FROM "otelq_outcome" AS outcome
             WHERE outcome.chain_id = job.chain_id AND outcome.position = job.position AND outcome.generation = 0),
           CASE
               WHEN open.blocked_by_count > 0 THEN 'blocked'
               WHEN open.token IS NOT NULL THEN 'running'
               WHEN open.run_at / 1000000 > unixepoch('now') THEN 'scheduled'
               ELSE 'ready'
           END
       ) AS status,
       datetime(job.created_at / 1000000, 'unixepoch') AS created_at,
       datetime(open.run_at / 1000000, 'unixepoch') AS run_at,
       open.attempt,
       open.leased_by,
       datetime(open.leased_until / 1000000, 'unixepoch') AS leased_until,
       coalesce(job.amended_input, job.input) AS input
  FROM "otelq_job" AS job
  LEFT JOIN "otelq_open_job" AS open
    ON open.chain_id = job.chain_id AND open.position = job.position;
CREATE INDEX "otelq_ended_badly" ON "otelq_outcome" (status, chain_id, position)
    WHERE status IN ('failed', 'cancelled') AND generation = 0;
COMMIT;
