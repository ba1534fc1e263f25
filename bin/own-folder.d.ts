/**
 * The folder of that name in the user's cache (XDG_CACHE_HOME, else .cache in the home folder), made when it is missing. Undefined when
 * it can't be made, or somebody else could put something there.
 * @param {string} name
 * @returns {string | undefined}
 */
export declare function ownCacheFolder(name: string): string | undefined
/**
 * Whether the folder is this user's and no one else can change what is in it, or put another one in its place. Throws when it can't be
 * looked at.
 * @param {string} folder
 * @returns {boolean}
 */
export declare function isOwnFolder(folder: string): boolean
