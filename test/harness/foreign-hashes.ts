// Hashes that other implementations made, by who made them. The password is FOREIGN_PASSWORD where none is named.
// Those in Keycloak's form were computed by Python's hashlib and argon2-cffi; published ones say where they are from.
export const FOREIGN_PASSWORD = 'Grüße aus Kiel 1987';

interface ForeignHash {
  from: string;
  hash: string | Record<string, unknown>;
  password?: string;
}

export const foreignHashes: readonly ForeignHash[] = [
  {
    from: 'bcrypt 5.0 for Python, $2a$',
    hash: '$2a$05$w.AbPqvC3HEGTf/9xqwEMOmNPavHzKk0fP2P7K/yfbZcFbB/m.Zo.',
  },
  {
    from: 'bcrypt 5.0 for Python, $2b$',
    hash: '$2b$05$iC5oBTzNfgoPuLoGGzpdOebikUSi3dTh2rlRB6qRsMZ7DZ4FbqU/O',
  },
  { from: 'libxcrypt, $2y$', hash: '$2y$06$cRxuIi38e15t7eh7Kd870er8AN2yTeksislv38.9..mhXYtyPqyeG' },
  {
    from: 'argon2-cffi 25.1, argon2i',
    hash: '$argon2i$v=19$m=1024,t=2,p=2$c2FsdHNhbHRzYWx0c2FsdA$3WE2LAmB+lQoSpIt10fjtUtK3kYba7j5xowLMq+rYVI',
  },
  {
    from: 'argon2-cffi 25.1, argon2d',
    hash: '$argon2d$v=19$m=1024,t=2,p=2$c2FsdHNhbHRzYWx0c2FsdA$xb4yk5JT8+iyiXc3Y2I1KKtAiVxEZF0pqf9PE5h7Ts0',
  },
  {
    from: 'argon2-cffi 25.1, argon2id',
    hash: '$argon2id$v=19$m=1024,t=2,p=2$c2FsdHNhbHRzYWx0c2FsdA$gCZTP6LXtwXuQvzRkXEm5+D8Y8+pdd8JRkQmjWDRukk',
  },
  {
    from: 'argon2-cffi 25.1, version 1.0',
    hash: '$argon2i$v=16$m=1024,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$MljyMedcbpoWi2cnhxPHfg',
  },
  {
    from: 'passlib 1.7.4, argon2',
    hash: '$argon2id$v=19$m=2048,t=1,p=4$9J5zTikFIARAqHWu1boXAg$QLCPAH8PtOBmv+7xvVZQQIdScQj046jsbOyvDaDXl/0',
  },
  {
    from: 'passlib 1.7.4, scrypt',
    hash: '$scrypt$ln=12,r=8,p=1$JMT4HwNgDAHAWIuRknKu9Q$zcgTQ06FdfygIXGGyctsi4Q6FgPlbnihoZjOWmuEeuc',
  },
  {
    from: 'passlib 1.7.4, pbkdf2_sha1',
    hash: '$pbkdf2$13000$VSoFAAAAQAgBIMSYMyZkzA$jrFqzSluR5orGwWto9W5.LHbHng',
  },
  {
    from: 'passlib 1.7.4, pbkdf2_sha256',
    hash: '$pbkdf2-sha256$29000$zPlfi/G.dw6hdC7FWKvV2g$gUmhDzfBA7BHrHv5cFe.atPAVARENqBZKktA2Zzaqbg',
  },
  {
    from: 'passlib 1.7.4, pbkdf2_sha512',
    hash: '$pbkdf2-sha512$25000$4zwHwBjjPCfEGIOwNoYQ4g$PIjCrbj4TLxmIm7ZbxJBT.ufl6Eef6vw6oVrER9gb9sRLhvYLjcACICCl3KnxhwX36OYqVD345delqaYTdLJ.Q',
  },
  {
    from: 'Django 5.2, pbkdf2_sha256',
    hash: 'pbkdf2_sha256$1000000$nPsemz6zzyqPJczxXf8Aoc$HgJ1c+5SwtgQ+AbzO3GS4QcxoM7KZ3rGTZGgf0G4Aok=',
  },
  {
    from: 'Django 5.2, pbkdf2_sha1',
    hash: 'pbkdf2_sha1$1000000$0sUEjjyyZkujSMulMiqdMS$nlAJQdSo6is2I9maFbtJ1sLDwzU=',
  },
  {
    from: 'Django 5.2, argon2',
    hash: 'argon2$argon2id$v=19$m=102400,t=2,p=8$YWJjZGVmZ2gxMjM0NTY3OA$kLwV/MfBPDIUeB7IQerZ8+wjaE17FR+rtE/6y9bzxrU',
  },
  { from: 'Django 5.2, bcrypt', hash: 'bcrypt$$2b$05$UGAlKB2RPh5UShJBCbA1aeFxhAO.7aJngYfv2dygmZkAJLmpQxguu' },
  {
    from: 'Django 5.2, bcrypt_sha256',
    hash: 'bcrypt_sha256$$2b$05$uFhizX.kq6Vcm0odRGvPwuENqFjUFMV7XQ6Ii2tJz9xZyOTjYSFcG',
  },
  {
    from: 'Django 5.2, scrypt',
    hash: 'scrypt$16384$7QhWAfpXTTcAdqfoepocTQ$8$5$+8qskjnZNVvIYnfG2q4wiESkHgWvVwr1d4MXRkxetWGshboctbcYnqLCVMq39SxJV5asHNRn/455/OZ5C9GcWw==',
  },
  {
    from: 'Keycloak’s form, pbkdf2-sha512',
    hash: {
      type: 'password',
      secretData:
        '{"value": "pLIvvUH52bSIgso1HYhR+oIBh1sgwQubNovgBR8CCFsMUjacZJPtR4hvRX6NlIZAx8POeIKv+Ij+49ApejBosg==", "salt": "EBESExQVFhcYGRobHB0eHw==", "additionalParameters": {}}',
      credentialData: '{"hashIterations": 210000, "algorithm": "pbkdf2-sha512", "additionalParameters": {}}',
    },
  },
  {
    from: 'Keycloak’s form, pbkdf2-sha256 of 64 bytes',
    hash: {
      type: 'password',
      secretData:
        '{"value": "c32QJOOC9ZmZU14fi3KsmD/h2i+LY2qFccIPBFr8ocfy0pY1OTxXguG+3MRV+9p8ePCKH/tgCEfFld9ITMWzew==", "salt": "EBESExQVFhcYGRobHB0eHw==", "additionalParameters": {}}',
      credentialData: '{"hashIterations": 27500, "algorithm": "pbkdf2-sha256", "additionalParameters": {}}',
    },
  },
  {
    from: 'Keycloak’s form, pbkdf2',
    hash: {
      type: 'password',
      secretData:
        '{"value": "NTirbFILifrmmhSNLEe7w3gZAFE2HfTvZldsHsq94haTcGzMZLRz7q2ui3R40VgNEX+TrQvwtIIR9LQ4UxMgjQ==", "salt": "EBESExQVFhcYGRobHB0eHw==", "additionalParameters": {}}',
      credentialData: '{"hashIterations": 20000, "algorithm": "pbkdf2", "additionalParameters": {}}',
    },
  },
  {
    from: 'Keycloak’s form, argon2',
    hash: {
      secretData:
        '{"value": "9YRJTvhJyN95lZYqOKV+vkywnwZX7yfiQE20owzKHjY=", "salt": "EBESExQVFhcYGRobHB0eHw==", "additionalParameters": {}}',
      credentialData:
        '{"hashIterations": 5, "algorithm": "argon2", "additionalParameters": {"hashLength": ["32"], "memory": ["7168"], "type": ["id"], "version": ["1.3"], "parallelism": ["1"]}}',
    },
  },
  {
    from: 'argon2’s reference implementation, without a version',
    hash: '$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ',
    password: 'password',
  },
  {
    from: 'parameters in the order m, p, t',
    hash: '$argon2id$v=19$m=1024,p=2,t=2$c2FsdHNhbHRzYWx0c2FsdA$gCZTP6LXtwXuQvzRkXEm5+D8Y8+pdd8JRkQmjWDRukk',
  },
  {
    from: 'a manual of scrypt in PHC form',
    hash: '$scrypt$ln=16,r=8,p=1$MTIzNDU2Nzg$NuB+vs2zc0fb2UzIRwwAV6ZWb3St8+X9IedYI1gQsoo',
    password: 'password',
  },
  {
    from: 'a Django of 2021, from a mailing list',
    hash: 'pbkdf2_sha256$180000$TAWdyXjZhOxy$Gdf7QXtuAA6S330T/w4Ul5LzcReOgDBx7/Ds6TFJWKs=',
    password: 'userpassword',
  },
  {
    from: 'tests of ASP.NET Core Identity, SHA-1',
    hash: 'AQAAAAAAAAD6AAAAEAhftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M',
    password: 'my password',
  },
  {
    from: 'tests of ASP.NET Core Identity, SHA-256',
    hash: 'AQAAAAEAA9CQAAAAIESkQuj2Du8Y+kbc5lcN/W/3NiAZFEm11P27nrSN5/tId+bR1SwV8CO1Jd72r4C08OLvplNlCDc3oQZ8efcW+jQ=',
    password: 'my password',
  },
  {
    from: 'tests of ASP.NET Core Identity, SHA-512',
    hash: 'AQAAAAIAAAD6AAAAIJbVi5wbMR+htSfFp8fTw8N8GOS/Sje+S/4YZcgBfU7EQuqv4OkVYmc4VJl9AGZzmRTxSkP7LtVi9IWyUxX8IAAfZ8v+ZfhjCcudtC1YERSqE1OEdXLW9VukPuJWBBjLuw==',
    password: 'my password',
  },
  {
    from: 'Keycloak before version 9, all in one',
    hash: {
      algorithm: 'pbkdf2-sha256',
      hashIterations: 27500,
      salt: 'x/bm4Y3DcuV9eU97ervkPA==',
      value: '1u7BLvfSPxQFpwc5jpGSA+88EGl9pZYKhaZ8YPIu9N4=',
    },
    password: 'admin',
  },
  {
    from: 'the example of Firebase’s scrypt',
    hash: {
      passwordHash:
        'lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==',
      salt: '42xEC+ixf3L2lw==',
      base64_signer_key:
        'jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==',
      base64_salt_separator: 'Bw==',
      rounds: 8,
      mem_cost: 14,
    },
    password: 'user1password',
  },
];
